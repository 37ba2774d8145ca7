//! Files that are no modules, and signatures that are none.

use pqc_gpu_driver::{
    Error,
    attest::kernel_module::{Certificate, Compression, KernelModule},
    error::ModuleFailure,
};
use proptest::prelude::*;

use super::ko::*;

#[track_caller]
fn malformed(file: &[u8]) -> &'static str {
    match KernelModule::read(file) {
        Err(Error::KernelModule(ModuleFailure::Malformed(why))) => why,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn bad_signature(file: &[u8]) -> &'static str {
    match KernelModule::read(file) {
        Err(Error::KernelModule(ModuleFailure::Signature(why))) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn modules_of_every_class_and_byte_order_are_read() {
    for (wide, big, machine, architecture) in
        [(true, false, 62, "x86-64"), (true, true, 22, "s390"), (false, false, 40, "arm"), (false, true, 8, "mips")]
    {
        let file = Elf { wide, big, machine, ..Elf::new(MODINFO) }.build();
        let module = KernelModule::read(&file).unwrap();
        assert_eq!((module.architecture(), module.compression()), (architecture, Compression::None));
        let info = module.info();
        assert_eq!(info.name().as_deref(), Some("toy"));
        assert_eq!(info.version().as_deref(), Some("1.2.3"));
        assert_eq!(info.srcversion().as_deref(), Some("0123456789ABCDEF"));
        assert_eq!(info.vermagic().as_deref(), Some("6.12.0 SMP mod_unload "));
        assert_eq!((info.first("absent"), info.entries().count()), (None, 5));
        assert!(info.ambiguous().is_empty() && module.signature().is_none());
        assert_eq!(module.signed_content(), file);
    }
}

#[test]
fn modinfo_is_read_as_the_kernel_reads_it() {
    let info = |modinfo: &[u8]| KernelModule::read(&Elf::new(modinfo).build()).unwrap().info().clone();
    // The first of several counts, and that there are several is told.
    let doubled = info(b"name=first\0version=1\0name=second\0version=1\0");
    assert_eq!((doubled.name().as_deref(), doubled.ambiguous()), (Some("first"), vec!["name"]));
    // A key is all of what stands before the first "=".
    let odd = info(b"filename=x\0=name=y\0noname\0name\0name=a=b\0\xff=\xfe\0");
    assert_eq!((odd.name().as_deref(), odd.entries().count()), (Some("a=b"), 4));
    assert_eq!(info(b"\0").name(), None);
    for bad in [&b""[..], b"name=x", b"name=x\0y"] {
        malformed(&Elf::new(bad).build());
    }
    malformed(&Elf::new(&vec![0; (1 << 20) + 1]).build());
}

#[test]
fn elf_files_cut_or_bent_are_refused() {
    let good = module();
    for cut in 0..good.len() {
        malformed(&good[..cut]);
    }
    malformed(&Elf { sections: vec![(".modinf", MODINFO.into())], ..Elf::new(b"") }.build());
    malformed(&Elf { sections: vec![(".modinfo", MODINFO.into()); 2], ..Elf::new(b"") }.build());
    for kind in [0, 2, 3, 4] {
        malformed(&Elf { kind, ..Elf::new(MODINFO) }.build());
    }
    // Class, byte order, version.
    for (at, value) in [(4, 0), (4, 3), (4, 1), (5, 0), (5, 3), (6, 0)] {
        let mut bent = good.clone();
        bent[at] = value;
        malformed(&bent);
    }
    // Section headers: where, how large, how many, which has the names.
    let whole = [0xff; 8];
    for (at, value) in [(0x28, &whole[..]), (0x3a, &[0, 0]), (0x3c, &[0xff, 0x7f]), (0x3c, &[0, 0]), (0x3e, &[9, 0])] {
        let mut bent = good.clone();
        bent[at..at + value.len()].copy_from_slice(value);
        malformed(&bent);
    }
    // The .modinfo header: its name, offset and size, so that it lies outside or that its end overflows.
    let header = good.len() - 2 * 64;
    for (field, value) in [(0, &whole[..4]), (24, &whole), (32, &whole), (24, &[1, 0, 0, 0, 0, 0, 0, 0x80])] {
        let mut bent = good.clone();
        bent[header + field..header + field + value.len()].copy_from_slice(value);
        malformed(&bent);
    }
    // A .modinfo without bytes of its own.
    let mut nobits = good.clone();
    nobits[header + 4] = 8;
    malformed(&nobits);
}

#[test]
fn many_sections_and_long_names_take_linear_time() {
    // 65279 section headers, each with its name in a table of 16 MiB that has no NUL but the last.
    let mut sections = vec![("x", Vec::new()); 60_000];
    sections.push((".strings", vec![b'a'; 16 << 20]));
    let mut file = Elf { sections, ..Elf::new(b"") }.build();
    let table = u64::from_le_bytes(file[0x28..0x30].try_into().unwrap()) as usize;
    let strings = table + 64 * 60_001;
    file[0x3e..0x40].copy_from_slice(&60_001u16.to_le_bytes());
    assert_eq!(file[strings + 4], 1);
    let started = std::time::Instant::now();
    malformed(&file);
    assert!(started.elapsed().as_secs() < 5, "{:?}", started.elapsed());
}

#[test]
fn trailers_that_lie_are_refused() {
    let (good, _) = signed();
    let end = good.len() - MARKER.len();
    KernelModule::read(&good).unwrap();
    // algo, hash, signer_len, key_id_len, pad: all zero; id_type: PKCS#7 and no other.
    for (field, value) in [(0, 1), (1, 4), (3, 1), (4, 1), (5, 1), (6, 1), (7, 0x80), (2, 0), (2, 1), (2, 3)] {
        let mut bent = good.clone();
        bent[end - 12 + field] = value;
        bad_signature(&bent);
    }
    let length = u32::from_be_bytes(good[end - 4..end].try_into().unwrap());
    for lie in [0, 1, length - 1, length + 1, end as u32 - 12, end as u32, u32::MAX, u32::MAX - 40, 1 << 31] {
        let mut bent = good.clone();
        bent[end - 4..end].copy_from_slice(&lie.to_be_bytes());
        bad_signature(&bent);
    }
    // Nothing but the end of a signature.
    bad_signature(MARKER);
    bad_signature(&good[end - 11..]);
    bad_signature(&good[end - 12..]);
    // A signature that covers no ELF file.
    let key = Key::ml_dsa(44);
    malformed(&append(b"x", &Cms::new(&key, "s", b"x").build()));
    // A byte behind the marker: then it is not signed, for the kernel as well, and the file says so.
    let behind = [&good[..], &[0]].concat();
    assert!(KernelModule::read(&behind).unwrap().signature().is_none());
    // A signature behind a signature signs the first with the module.
    let module = module();
    let twice = append(&good, &Cms::new(&key, "s", &good).build());
    let read = KernelModule::read(&twice).unwrap();
    read.verify(&Certificate::read(&key.certificate("s")).unwrap()).unwrap();
    assert_eq!((read.signed_content(), &good[..module.len()]), (&good[..], &module[..]));
}

#[test]
fn long_signatures_are_not_looked_into() {
    let (key, module) = (Key::ml_dsa(44), module());
    // An issuer of a great many attributes: each takes far more memory read than it has bytes.
    let attribute = sequence(&[&oid("2.5.4.3"), &tlv(12, b"")]);
    let id = |count: usize| sequence(&[&sequence(&[&tlv(0x31, &attribute.repeat(count))]), &tlv(2, &[0x12, 0x34])]);
    let signed = |count| append(&module, &Cms { id: id(count), ..Cms::new(&key, "s", &module) }.build());
    KernelModule::read(&signed(10_000)).unwrap();
    assert_eq!(bad_signature(&signed(1_000_000)), "longer than 1 MiB");
}

#[test]
fn cms_messages_cut_or_bent_are_refused() {
    let (key, module) = (Key::ml_dsa(65), module());
    let cms = Cms::new(&key, "s", &module);
    let good = cms.build();
    for cut in 0..good.len() {
        bad_signature(&append(&module, &good[..cut]));
    }
    assert!(bad_signature(&append(&module, &[&good[..], &[0]].concat())).contains("follow"));
    // Indefinite lengths, lengths not in their shortest form, and lengths that lie.
    bad_signature(&append(&module, &[&[0x30, 0x80][..], &good[4..], &[0, 0]].concat()));
    bad_signature(&append(&module, &[&[0x30, 0x83, 0][..], &good[2..]].concat()));
    bad_signature(&append(&module, &[&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff][..], &good[4..]].concat()));
    // Nested without end.
    bad_signature(&append(&module, &[0x30, 0x80].repeat(100_000)));
    bad_signature(&append(&module, &[0xa0, 0x84, 0, 1, 0, 0].repeat(10_000)));
    // Another type of message or of content; a content within; versions and identifiers that do not match.
    bad_signature(&append(&module, &sequence(&[&oid(DATA), &tlv(0xa0, &tlv(4, b"x"))])));
    let attached = sequence(&[&oid(DATA), &tlv(0xa0, &tlv(4, &module))]);
    for bent in [
        Cms { content: attached, ..cms.clone() },
        Cms { content: sequence(&[&oid("1.2.3")]), ..cms.clone() },
        Cms { version: 3, ..cms.clone() },
        Cms { version: 0, ..cms.clone() },
        Cms { id: tlv(0x80, b"key"), ..cms.clone() },
        Cms { id: sequence(&[&name("s"), &tlv(2, &[0xff])]), ..cms.clone() },
        Cms { id: sequence(&[&name("s"), &tlv(2, &[1]), &tlv(2, &[1])]), ..cms.clone() },
        Cms { id: sequence(&[&tlv(0x30, &[1, 2, 3]), &tlv(2, &[1])]), ..cms.clone() },
        Cms { signature: cms.signature[1..].to_vec(), ..cms.clone() },
        Cms { signature: vec![], ..cms.clone() },
        Cms { algorithm: sequence(&[]), ..cms.clone() },
        Cms { algorithm: sequence(&[&oid(RSA), &tlv(5, &[]), &tlv(5, &[])]), ..cms.clone() },
    ] {
        bad_signature(&append(&module, &bent.build()));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_changes_never_panic_nor_verify(at in 0usize..4000, byte: u8, cut in 0usize..4000) {
        thread_local!(static SIGNED: (Vec<u8>, Certificate) = {
            let (module, certificate) = signed();
            (module, Certificate::read(&certificate).unwrap())
        });
        SIGNED.with(|(good, certificate)| {
            let mut bent = good.clone();
            let at = at % bent.len();
            let changed = bent[at] != byte;
            bent[at] = byte;
            let read = KernelModule::read(&bent).ok();
            let verified = read.as_ref().filter(|module| module.verify(certificate).is_ok());
            // Some bytes of the message say nothing, but what verifies is always the module that was signed.
            prop_assert!(verified.is_none_or(|verified| verified.signed_content() == module()));
            prop_assert!(changed || verified.is_some());
            let _ = KernelModule::read(&bent[..cut % bent.len()]);
            let _ = KernelModule::read(&bent[cut % bent.len()..]);
            Ok(())
        })?;
    }

    #[test]
    fn random_messages_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(KernelModule::read(&append(&module(), &bytes)).is_err());
        let _ = KernelModule::read(&bytes);
        prop_assert!(Certificate::read(&bytes).is_err());
    }
}
