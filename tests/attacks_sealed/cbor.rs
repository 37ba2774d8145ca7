//! CBOR that is hostile, or only not in its one form; signed, so that nothing else refuses it.

use pqc_gpu_driver::{
    error::SealedFailure,
    sealed::{MAX_MANIFEST_BYTES, Manifest},
};

use crate::{
    book::{self, Inputs, head},
    inputs::{inputs, tensor, three},
    open, refused, trust,
};

/// A file with this manifest, signed and wrapped.
fn with_manifest(inputs: &Inputs, manifest: Vec<u8>) -> Vec<u8> {
    let sealed = book::seal(inputs);
    let signature = book::signature(&inputs.publisher_seed, &inputs.signing_rnd, &manifest);
    let recipients = book::recipients(inputs, &manifest);
    book::finish(inputs, sealed.bodies, sealed.lines, manifest, signature, recipients).file
}

#[track_caller]
fn refused_manifest(manifest: Vec<u8>, why: &'static str) {
    let inputs = three();
    let failure = SealedFailure::Malformed(why);
    assert_eq!(Manifest::decode(&manifest), Err(failure.clone()));
    refused(&with_manifest(&inputs, manifest), &trust(&inputs), true, &failure);
}

const FORM: &str = "the manifest does not have the form of docs/sealed-format.md";
const CANONICAL: &str = "the manifest is not in canonical form";

fn good() -> Vec<u8> {
    let manifest = book::seal(&three()).manifest;
    assert_eq!(Manifest::decode(&manifest).unwrap().encode(), manifest);
    manifest
}

/// With what stands at `find` in the manifest, which has it once, replaced.
fn replaced(find: &[u8], by: &[u8]) -> Vec<u8> {
    let good = good();
    let mut places = (0..=good.len() - find.len()).filter(|&at| good[at..].starts_with(find));
    let at = places.next().expect("is there");
    assert_eq!(places.next(), None, "is there once");
    [&good[..at], by, &good[at + find.len()..]].concat()
}

#[test]
fn sealed_manifests_in_another_form() {
    let good = good();
    // The release, 300, in longer integers; the version likewise.
    let release = [&[3, 0x19, 1, 44, 4][..], &[0x58, 32]].concat();
    refused_manifest(replaced(&release, &[&[3, 0x1a, 0, 0, 1, 44, 4][..], &[0x58, 32]].concat()), CANONICAL);
    refused_manifest(
        replaced(&release, &[&[3, 0x1b, 0, 0, 0, 0, 0, 0, 1, 44, 4][..], &[0x58, 32]].concat()),
        CANONICAL,
    );
    refused_manifest(replaced(&[0xa8, 1, 1, 2], &[0xa8, 1, 0x18, 1, 2]), CANONICAL);
    refused_manifest(replaced(&[0xa8, 1, 1, 2], &[0xb8, 8, 1, 1, 2]), CANONICAL);
    refused_manifest(replaced(&[0xa8, 1, 1, 2], &[0xa8, 0x18, 1, 1, 2]), CANONICAL);
    // Another version, another key, more keys, an indefinite length, a tag, a float.
    refused_manifest(replaced(&[0xa8, 1, 1, 2], &[0xa8, 1, 2, 2]), FORM);
    refused_manifest(replaced(&[0xa8, 1, 1, 2], &[0xa8, 9, 1, 2]), FORM);
    refused_manifest([&replaced(&[0xa8, 1, 1, 2], &[0xa9, 1, 1, 2])[..], &[9, 0]].concat(), FORM);
    refused_manifest([&replaced(&[0xa8, 1, 1, 2], &[0xbf, 1, 1, 2])[..], &[0xff]].concat(), FORM);
    refused_manifest(replaced(&[0xa8, 1, 1, 2], &[0xc1, 0xa8, 1, 1, 2]), FORM);
    refused_manifest(replaced(&release, &[&[3, 0xf9, 0x5c, 0xb0, 4][..], &[0x58, 32]].concat()), FORM);
    refused_manifest(replaced(&release, &[&[3, 0x20, 4][..], &[0x58, 32]].concat()), FORM);
    // More bytes, fewer bytes.
    refused_manifest([&good[..], &[0]].concat(), CANONICAL);
    refused_manifest(good[..good.len() - 1].to_vec(), FORM);
    for cut in 1..good.len() {
        assert!(Manifest::decode(&good[..cut]).is_err(), "cut at {cut}");
    }
    assert!(Manifest::decode(&[]).is_err() && Manifest::decode(&vec![0; MAX_MANIFEST_BYTES + 1]).is_err());
}

#[test]
fn sealed_model_metadata_out_of_order_or_twice() {
    let with = |pairs: &[(&str, &str)]| {
        let mut inputs = three();
        inputs.metadata = pairs.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
        let sealed = book::seal(&inputs);
        (inputs, sealed.file)
    };
    for pairs in [[("format", "pt"), ("n", "1")], [("n", "1"), ("n", "2")], [("b", ""), ("a", "")]] {
        let (inputs, file) = with(&pairs);
        refused(&file, &trust(&inputs), true, &SealedFailure::Malformed(CANONICAL));
    }
    for pairs in [&[("a", "2"), ("b", "1"), ("aa", "")][..], &[("", "")], &[]] {
        let (inputs, file) = with(pairs);
        assert!(open(&file, "alice", &trust(&inputs), Default::default()).is_ok());
    }
}

#[test]
fn sealed_tensor_metadata_in_another_form() {
    let inputs = three();
    let sealed = book::seal(&inputs);
    let metadata = &sealed.lines[1].metadata;
    assert_eq!(metadata[..2], [0xa4, 1]);
    for other in [
        [&[0xa4, 0x18, 1][..], &metadata[2..]].concat(),
        [&[0xb8, 4, 1][..], &metadata[2..]].concat(),
        [&metadata[..metadata.len() - 1], &[0x18, 5]].concat(),
        // "bfloat16" is a name the library takes, and not the one that is written.
        book::metadata(&book::Tensor { dtype: "bfloat16", ..inputs.tensors[1].clone() }),
    ] {
        let mut lines = sealed.lines.clone();
        lines[1].metadata = other;
        let file = book::sign(&inputs, sealed.bodies.clone(), lines).file;
        refused(&file, &trust(&inputs), true, &SealedFailure::Malformed(CANONICAL));
    }
    for other in [vec![0xa0], vec![0x80], vec![0xf6], [0x5f, 0xff].into(), vec![0x81; 4000], vec![0xd8; 3000]] {
        let mut lines = sealed.lines.clone();
        lines[1].metadata = other;
        let file = book::sign(&inputs, sealed.bodies.clone(), lines).file;
        let why = "a tensor's metadata is not that of a tensor (docs/protocol.md)";
        refused(&file, &trust(&inputs), true, &SealedFailure::Malformed(why));
    }
}

#[test]
fn sealed_names_that_collide() {
    let mut twins = three();
    twins.tensors[2].name = "short".into();
    let failure = SealedFailure::Malformed("two tensors have one name");
    refused(&book::seal(&twins).file, &trust(&twins), true, &failure);
    let mut files = three();
    let one = files.files[0].clone();
    files.files = vec![(one.0.clone(), one.1.clone(), 2), (one.0, one.1, 1)];
    let failure = SealedFailure::Malformed("two files have one name");
    refused(&book::seal(&files).file, &trust(&files), true, &failure);
}

#[test]
fn sealed_file_names_that_leave_the_directory() {
    let failure = SealedFailure::Malformed("a file's name is not a plain one");
    let long = "x".repeat(256);
    for name in ["", ".", "..", "/etc/passwd", "a/b", "..\\a", "a\\b", "a\0b", "a\nb", "a\u{7f}", "a\u{85}b", &long] {
        let mut inputs = three();
        inputs.files[0].0 = name.into();
        refused(&book::seal(&inputs).file, &trust(&inputs), true, &failure);
    }
    for name in ["a", "...", "a b", "é", &"x".repeat(255)] {
        let mut inputs = three();
        inputs.files[0].0 = name.into();
        assert!(open(&book::seal(&inputs).file, "alice", &trust(&inputs), Default::default()).is_ok(), "{name}");
    }
}

#[test]
fn sealed_file_counts_that_do_not_add_up() {
    let failure = SealedFailure::Malformed("the files' numbers of tensors do not add up");
    for counts in [&[2][..], &[4], &[1, 1], &[u32::MAX.into(), 4], &[3, 3]] {
        let mut inputs = three();
        let header = inputs.files[0].1.clone();
        inputs.files = counts.iter().enumerate().map(|(i, &n)| (i.to_string(), header.clone(), n)).collect();
        refused(&book::seal(&inputs).file, &trust(&inputs), true, &failure);
    }
    for counts in [&[][..], &[3], &[0, 1, 2], &[1, 2, 0]] {
        let mut inputs = three();
        inputs.files = counts.iter().enumerate().map(|(i, &n)| (i.to_string(), vec![1], n)).collect();
        assert!(open(&book::seal(&inputs).file, "alice", &trust(&inputs), Default::default()).is_ok());
    }
}

#[test]
fn sealed_counts_without_content() {
    // A billion tensors, pairs, files, or nested arrays in a few bytes: time and memory follow the bytes there are.
    let inputs = three();
    let publisher = book::sha3(&[&book::public_key(&inputs.publisher_seed)]);
    let start =
        [&[0xa8, 1, 1, 2][..], &book::bytes(&inputs.model_id), &[3, 0, 4], &book::bytes(&publisher), &[5]].concat();
    let huge = [1u64 << 20, 1 << 32, u64::MAX];
    for count in huge {
        refused_manifest([&start[..], &head(5, count)].concat(), FORM);
        let many = if count == 1 << 20 { FORM } else { "more than 1,048,576 tensors or 65,536 files" };
        refused_manifest([&start[..], &[0xa0, 6], &head(4, count)].concat(), many);
        refused_manifest(
            [&start[..], &[0xa0, 6, 0x80, 7], &head(4, count)].concat(),
            "more than 1,048,576 tensors or 65,536 files",
        );
        refused_manifest([&start[..], &[0xa0, 6, 0x80, 7, 0x80, 8], &head(2, count)].concat(), FORM);
        refused_manifest(head(5, count), FORM);
    }
    refused_manifest(vec![0x81; 1 << 20], FORM);
    refused_manifest([&start[..], &vec![0x9f; 1 << 20]].concat(), FORM);
    refused_manifest([&start[..], &[0xa0, 6], &vec![0x81; 1 << 20]].concat(), FORM);
}

#[test]
fn sealed_recipients_in_another_form() {
    let inputs = three();
    let sealed = book::seal(&inputs);
    let file = |recipients: Vec<u8>| {
        let Sealed { manifest, signature, bodies, lines, .. } = sealed.clone();
        book::finish(&inputs, bodies, lines, manifest, signature, recipients).file
    };
    use book::Sealed;
    let good = &sealed.recipients;
    assert_eq!(good[0], 0x82);
    let form = "the recipients do not have the form of docs/sealed-format.md";
    let canonical = "the recipients are not in canonical form";
    for (recipients, why) in [
        ([&[0x98, 2][..], &good[1..]].concat(), canonical),
        ([&good[..], &[0]].concat(), canonical),
        ([&[0x81][..], &good[1..]].concat(), canonical),
        ([&[0x83][..], &good[1..]].concat(), form),
        ([&[0x9f][..], &good[1..], &[0xff]].concat(), form),
        ([&[0x82, 0x84][..], &good[2..]].concat(), form),
        (head(4, u64::MAX), form),
        (vec![0x81; 1 << 20], form),
        (vec![0xa0], form),
    ] {
        refused(&file(recipients), &trust(&inputs), true, &SealedFailure::Malformed(why));
    }
}

#[test]
fn sealed_a_million_names() {
    // As many tensors as fit, all but the last two of different names, in orders that are bad for a search.
    let count = 200_000;
    let tensors = (0..count).map(|i| tensor(i, &format!("{:06}", count - i.max(1)), "U8", &[0], 0)).collect();
    let inputs = Inputs { files: Vec::new(), metadata: Vec::new(), ..inputs(tensors) };
    let lines = inputs.tensors.iter().enumerate().map(|(i, tensor)| book::Line {
        index: i as u64,
        metadata: book::metadata(tensor),
        offset: i as u64 * 4096,
        length: 16,
        header: vec![1; 56],
        root: vec![2; 32],
    });
    let manifest = book::manifest(&inputs, &book::public_key(&inputs.publisher_seed), &lines.collect::<Vec<_>>());
    let start = std::time::Instant::now();
    let names = SealedFailure::Malformed("two tensors have one name");
    assert_eq!(Manifest::decode(&manifest), Err(names));
    assert!(start.elapsed().as_secs() < 20, "{:?}", start.elapsed());
}
