//! What the fuzzer starts from. `good-…` is accepted, `bad-…` is refused; tests/seeds.rs holds it.

use pqc_gpu_driver::{DType, TensorMetadata};

use crate::{
    attestation, book,
    containers::{gzip, xz, zstd},
    honest::{self, PROOF, transcript},
    identity_pem, kernel_module, ko, sealed, sealed_recipients,
};

/// Target, name, input.
pub type Seed = (&'static str, String, Vec<u8>);

/// All seeds. Signatures are hedged, so that those of attestations differ from one call to the next.
pub fn all() -> Vec<Seed> {
    let mut seeds = Vec::new();
    let mut add = |target: &'static str, name: &str, parts: &[&[u8]]| {
        seeds.push((target, name.to_owned(), parts.concat()));
    };
    handshakes(&mut add);
    tensors(&mut add);
    files(&mut add);
    modules(&mut add);
    streams(&mut add);
    sealed_files(&mut add);
    seeds
}

type Add<'a> = &'a mut dyn FnMut(&'static str, &str, &[&[u8]]);

fn handshakes(add: Add<'_>) {
    let honest = transcript();
    let host = "handshake_host";
    add(host, "good-m2", &[&[0], &honest.m2]);
    add(host, "good-ready", &[&[1], &honest.ready]);
    add(host, "good-m2-opened", &[&[2], &honest.opened[0]]);
    add(host, "good-m2-fields", &[&[3], &honest.opened[0][..honest.opened[0].len() - PROOF]]);
    // Label 1 + 6, key 1952, policy 8: a device that proves what it says, but echoes another policy.
    for (name, at) in [("bad-m2-echo-ttl", 1962), ("bad-m2-echo-epoch-size", 1963), ("bad-m2-echo-reserved", 1966)] {
        let mut fields = honest.opened[0][..honest.opened[0].len() - PROOF].to_vec();
        fields[at] ^= 1;
        add(host, name, &[&[3], &fields]);
    }
    add(host, "bad-m1-reflected", &[&[0], &honest.m1]);
    let device = "handshake_device";
    add(device, "good-m1", &[&[0], &honest.m1]);
    add(device, "good-m1-any-device", &[&[0], &honest.m1[..52], &[0; 32], &honest.m1[84..]]);
    add(device, "bad-m1-modulus", &[&[0], &honest.m1[..84], &[0x01, 0x0d], &honest.m1[86..]]);
    // ttl 4, log2 of chunks 1, flags 1, reserved 2.
    let mut m1 = |name: &str, policy: [u8; 8]| add(device, name, &[&[0], &honest.m1[..44], &policy, &honest.m1[52..]]);
    m1("good-m1-policy", [0, 0, 0, 1, 23, 0, 0, 0]);
    m1("bad-m1-ttl-zero", [0, 0, 0, 0, 24, 0, 0, 0]);
    m1("bad-m1-ttl-too-long", [0, 1, 0x51, 0x81, 24, 0, 0, 0]);
    m1("bad-m1-epoch-size", [0, 0, 0, 1, 25, 0, 0, 0]);
    m1("bad-m1-flags", [0, 0, 0, 1, 24, 1, 0, 0]);
    m1("bad-m1-reserved", [0, 0, 0, 1, 24, 0, 0, 1]);
    add(device, "good-m3", &[&[1], &honest.m3]);
    add(device, "good-m3-opened", &[&[2], &honest.opened[1]]);
    add(device, "good-m3-fields", &[&[3], &honest.opened[1][..honest.opened[1].len() - PROOF]]);
    add(device, "bad-m2-reflected", &[&[1], &honest.m2]);

    let session = "session";
    add(session, "good-in-order", &[&[0, 0, 0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 9, 0]]);
    add(session, "good-reserved", &[&[5, 0, 5, 1, 5, 2, 7, 0, 0, 7, 0, 1, 7, 0, 2, 0, 3, 0, 4, 0, 5, 9, 0]]);
    add(session, "good-then-late-failure", &[&[5, 0, 5, 1, 6, 2, 1, 0, 50, 7, 0, 0, 7, 0, 1]]);
    add(session, "good-then-replay", &[&[0, 0, 0, 0]]);
    add(session, "good-then-flipped", &[&[0, 0, 1, 1, 0, 70, 1]]);
    add(session, "good-then-truncated", &[&[0, 0, 9, 0]]);
    add(session, "bad-gap", &[&[0, 1, 0, 0]]);
    add(session, "good-after-what-is-no-record", &[&[2, 0, 0, 80, 0, 2, 3, 1, 0, 5, 2, 7, 7, 4, 1, 2, 0, 0]]);
    add(session, "good-first-after-one-out-of-turn", &[&[5, 0, 5, 1, 7, 1, 1, 7, 0, 0]]);
    // The tensor's name, 71 bytes into the record.
    add(session, "bad-name-altered", &[&[6, 0, 1, 0, 71, 7, 0, 0]]);
    add(session, "bad-foreign", &[&[0, 6, 0, 7, 0, 8]]);
    add(session, "bad-dropped", &[&[5, 0, 9, 1, 0, 5, 1]]);
}

fn tensors(add: Add<'_>) {
    let metadata =
        |name, dtype, shape: &[u64]| TensorMetadata::new("7", name, dtype, shape).expect("metadata").encode();
    let target = "tensor_metadata";
    add(target, "good-f32", &[&[0], &metadata("model.layers.0.weight", DType::F32, &[1024, 4096])]);
    add(target, "good-scalar", &[&[0], &metadata("é", DType::I64, &[])]);
    add(target, "good-empty", &[&[0], &metadata("", DType::F4, &[0, u64::MAX])]);
    add(target, "bad-integer-form", &[&[0], &[0xa4, 0x18, 1, 0x60, 2, 0x60, 3, 0x62], b"U8", &[4, 0x80]]);
    // A name that is understood, but is not the one that is written.
    add(target, "bad-type-form", &[&[0], &[0xa4, 1, 0x60, 2, 0x60, 3, 0x64], b"bool", &[4, 0x80]]);
    add(target, "good-described", &[&[1, 12, 0, 2, 0, 4], b"idname", &[1, 24, 2, 1, 0]]);
    add(target, "bad-described-overflow", &[&[1, 0, 0, 0, 0, 0, 8], &[0xff; 8], &[8], &[0xff; 8]]);

    let [host, _] = honest::sessions(0);
    let seal = |bytes: usize| {
        let metadata = TensorMetadata::new("id", "name", DType::U8, [bytes as u64]).expect("metadata");
        host.encrypt_tensor(&vec![7; bytes], &metadata).expect("seals").as_bytes().to_vec()
    };
    let records = "records";
    add(records, "good-tensor", &[&seal(40)]);
    add(records, "good-empty-tensor", &[&seal(0)]);
    add(records, "good-two-chunks", &[&seal(16_384)]);
    let update = host.update_key().expect("updates");
    add(records, "good-key-update-and-tensor", &[&update, &seal(20)]);
    add(records, "good-key-update", &[&update]);
    for (name, message) in [("m1", &transcript().m1), ("m2", &transcript().m2), ("m3", &transcript().m3)] {
        add(records, &format!("good-header-{name}"), &[&message[..12]]);
    }
}

fn files(add: Add<'_>) {
    let [private, public] = identity_pem::good_files();
    let der = |file: &str, which| from_pem(identity_pem::block(file, which));
    let target = "identity_pem";
    add(target, "good-private", &[&[0], private.as_bytes()]);
    add(target, "good-public", &[&[0], public.as_bytes()]);
    add(target, "good-signing-alone", &[&[0], identity_pem::block(private, 0).as_bytes()]);
    add(target, "good-spki-ml-dsa", &[&[1], &der(public, 0)]);
    add(target, "good-spki-ml-kem", &[&[2], &der(public, 1)]);
    add(target, "good-pkcs8-ml-dsa", &[&[3], &der(private, 0)]);
    add(target, "good-pkcs8-ml-kem", &[&[4], &der(private, 1)]);

    let payload = attestation::good_payload();
    let target = "attestation";
    add(target, "good-signed", &[&[0], &attestation::signed(&payload)]);
    add(target, "good-payload", &[&[1], &payload]);
    // The last number is the signing time.
    add(target, "bad-from-the-future", &[&[1], &payload[..payload.len() - 1], &[0xff]]);

    let did = honest::identities()[0].public_key().key_id().did();
    let text = format!(
        "# a policy\ntrusted_signers = [\"vendor.pub.pem\", \"other.pub.pem\"]\nrevoked_signers = [\"{did}\"]\n\
         revoked_digests = [\"{}\"]\nname = \"gpu.ko\"\ntarget = 'linux'\nmax_age_seconds = 604800\n\n\
         [minimum_security_version]\n\"gpu.ko\" = 7\n",
        "0123456789abcdef".repeat(4)
    );
    let target = "policy";
    add(target, "good-all", &[text.as_bytes()]);
    add(target, "good-nobody", &[b"trusted_signers = []\n"]);
    add(target, "bad-unknown-key", &[b"trusted_signers = []\nsigners = 1\n"]);
    add(target, "bad-unknown-signer", &[b"trusted_signers = [\n'absent.pem']\n"]);

    let target = "text";
    add(target, "good-did", &[did.as_bytes()]);
    add(target, "good-dtype", &[b"F8_E5M2"]);
    add(target, "good-date-utc", &[b"2027-01-15T08:00:00Z"]);
    add(target, "good-date-zone", &[b"2028-02-29T23:59:59+05:30"]);
    add(target, "good-date-seconds", &[b"1800000000"]);
    add(target, "bad-date-no-zone", &[b"2027-01-15T08:00:00"]);
}

fn modules(add: Add<'_>) {
    let known = kernel_module::known();
    let target = "kernel_module";
    let signed = ko::append(&known.module, &known.signature);
    add(target, "good-signed", &[&[0], &signed]);
    add(
        target,
        "good-big-endian",
        &[&[0], &ko::Elf { wide: false, big: true, machine: 8, ..ko::Elf::new(ko::MODINFO) }.build()],
    );
    for (name, pack) in [("good-gzip", gzip as fn(&[u8]) -> Vec<u8>), ("good-xz", xz), ("good-zstd", zstd)] {
        add(target, name, &[&[0], &pack(&known.module)]);
    }
    add(target, "bad-gzip-in-xz", &[&[0], &xz(&gzip(&known.module))]);
    add(target, "good-packed", &[&[1], &known.module]);
    add(target, "good-signature", &[&[2], &known.signature]);
    add(target, "good-signature-over-attributes", &[&[2], &known.over_attributes]);
    add(target, "bad-signature-by-another", &[&[2], &known.by_another]);
    add(target, "good-certificate", &[&[3], &known.certificate]);
    add(target, "bad-signature-as-certificate", &[&[3], &known.signature]);
    add(target, "good-modinfo", &[&[4], ko::MODINFO]);
    add(target, "good-modinfo-twice", &[&[4], b"name=a\0\0name=b\0version=1\0version=1\0=\0x\0"]);
    add(target, "bad-modinfo-without-an-end", &[&[4], b"name=a"]);

    let target = "kat";
    let test = |id: u8, result: &str| {
        format!(r#"{{"tcId":{id},"comment":"","key":"00fF","ctx":"","result":"{result}","flags":[]}}"#)
    };
    let file = |count: u8, tests: &[String]| {
        let tests = tests.join(",");
        format!(
            r#"{{"algorithm":"AES-GCM","numberOfTests":{count},"testGroups":[{{"keySize":256,"tests":[{tests}]}},{{"keySize":128,"tests":[]}}]}}"#
        )
    };
    let tests = [test(1, "valid"), test(2, "invalid"), test(3, "acceptable")];
    add(target, "good-file", &[file(3, &tests).as_bytes()]);
    add(target, "bad-count", &[file(2, &tests).as_bytes()]);
    add(target, "bad-result", &[file(1, &[test(1, "passed")]).as_bytes()]);
    add(target, "bad-hex", &[file(1, &[test(1, "valid").replace("00fF", "00f")]).as_bytes()]);
}

fn streams(add: Add<'_>) {
    let target = "transport";
    add(target, "good-whole", &[&[0, 0, 0]]);
    add(target, "good-in-pieces", &[&[0, 2, 0]]);
    add(target, "good-in-pieces-onto-a-device", &[&[0, 1, 0]]);
    add(target, "good-flipped", &[&[0, 4, 0, 0, 0, 100, 0, 1]]);
    add(target, "good-late-chunk-flipped-on-a-device", &[&[0, 5, 0, 0, 0x10, 0, 0, 1]]);
    add(target, "good-cut", &[&[0, 6, 0, 3, 0, 0x60, 0]]);
    add(target, "good-byte-inserted", &[&[0, 8, 0, 2, 0, 0, 200, 1, 0]]);
    add(target, "good-two-records-allowed", &[&[0, 10, 2]]);
    add(target, "bad-first-header-flipped", &[&[0, 2, 0, 0, 0, 0, 44, 1]]);
    add(target, "bad-empty", &[&[0, 2, 0, 3, 0, 0, 0]]);
    let honest = transcript();
    add(target, "good-m1", &[&[1], &honest.m1, &honest.m3]);
    add(target, "bad-m2-where-m1-is-due", &[&[1], &honest.m2[..100]]);
    add(target, "good-m2", &[&[2], &honest.m2]);
    add(target, "bad-m3-where-m2-is-due", &[&[2], &honest.m3[..100]]);
}

/// The DER in one PEM block.
fn from_pem(block: &str) -> Vec<u8> {
    let digits = block.lines().filter(|line| !line.starts_with('-')).flat_map(str::bytes);
    let mut out = Vec::new();
    let (mut word, mut bits) = (0u32, 0);
    for digit in digits.filter(|&digit| digit != b'=') {
        let value = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' => 62,
            _ => 63,
        };
        (word, bits) = (word << 6 | u32::from(value), bits + 6);
        if bits >= 8 {
            bits -= 8;
            out.push((word >> bits) as u8);
        }
    }
    out
}

fn sealed_files(add: Add<'_>) {
    let honest = sealed::honest();
    let (file, manifest) = (&honest.sealed.file, &honest.sealed.manifest);
    let front = "sealed_front";
    add(front, "good-file", &[file]);
    add(front, "bad-cut", &[&file[..file.len() - 1]]);
    let mut other = file.clone();
    other[16 + manifest.len() + 1952] ^= 1;
    add(front, "bad-signature", &[&other]);
    let mut other = file.clone();
    other[8] = 1;
    add(front, "bad-length", &[&other[..16], &[0; 5400]]);

    let target = "sealed_manifest";
    add(target, "good-one", &[manifest]);
    let three = book::seal(&crate::sealed_inputs::three());
    add(target, "good-three", &[&three.manifest]);
    let mut inputs = crate::sealed_inputs::three();
    inputs.files = vec![("a".into(), vec![1], 1), ("b".into(), vec![], 0), ("c".into(), vec![2, 3], 2)];
    inputs.index = b"{}".into();
    let with = |inputs: &book::Inputs, lines: &[book::Line]| book::manifest(inputs, &three.public_key, lines);
    add(target, "good-shards", &[&with(&inputs, &three.lines)]);
    inputs.files[2].0 = "a".into();
    add(target, "bad-files-of-one-name", &[&with(&inputs, &three.lines)]);
    let mut lines = three.lines.clone();
    lines[0].metadata =
        book::metadata(&book::Tensor { name: "long".into(), ..crate::sealed_inputs::three().tensors[0].clone() });
    add(target, "bad-tensors-of-one-name", &[&with(&crate::sealed_inputs::three(), &lines)]);
    let mut lines = three.lines.clone();
    lines[2].offset += 4096;
    add(target, "bad-offset", &[&with(&crate::sealed_inputs::three(), &lines)]);
    add(target, "bad-trailing", &[manifest, &[0]]);
    add(target, "bad-version", &[&[0xa8, 1, 2], &manifest[3..]]);

    let target = "sealed_recipients";
    let [alice, bob, carol] = ["alice", "bob", "carol"].map(sealed_recipients::entry);
    add(target, "good-alice-and-bob", &[&honest.sealed.recipients]);
    add(target, "good-alice", &[&book::join(vec![alice.clone()])]);
    add(target, "good-three", &[&book::join(vec![alice.clone(), bob.clone(), carol])]);
    add(target, "bad-bob", &[&book::join(vec![bob])]);
    add(target, "bad-twice", &[&book::join(vec![alice.clone(), alice.clone()])]);
    add(target, "bad-nobody", &[&[0x80]]);
    add(target, "bad-count", &[&[0x98, 1], &alice]);
}
