//! Kernel modules: what is read is what the file holds, however it is packed, and nothing verifies but the one module that the
//! one trusted signer has signed.

use std::sync::OnceLock;

use pqc_gpu_driver::attest::kernel_module::{Certificate, Compression, KernelModule};

use crate::{
    containers::{gzip, xz, zstd},
    ko, pem,
};

/// As the file is, and decompressed.
const LIMIT: u64 = 1 << 20;

/// A signed module and two signers of one name.
pub struct Known {
    pub module: Vec<u8>,
    /// The CMS message.
    pub signature: Vec<u8>,
    /// One over signed attributes.
    pub over_attributes: Vec<u8>,
    /// By the other signer.
    pub by_another: Vec<u8>,
    pub certificate: Vec<u8>,
    key: Vec<u8>,
    signer: Certificate,
    other: Certificate,
}

pub fn known() -> &'static Known {
    static KNOWN: OnceLock<Known> = OnceLock::new();
    KNOWN.get_or_init(|| {
        let [key, another] = [[1; 32], [2; 32]].map(ko::Key::ml_dsa_65_from_seed);
        let (module, name) = (ko::module(), "signer");
        // SHA-512 of the module: the digest that an ML-DSA key of ko signs attributes with.
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA512, &module);
        let cms = ko::Cms::new(&key, name, &module);
        let [certificate, other] = [&key, &another].map(|key| key.certificate(name));
        let read = |der: &[u8]| Certificate::read(der).expect("a certificate");
        Known {
            signature: cms.build(),
            over_attributes: cms.over(&key, ko::attributes(digest.as_ref())).build(),
            by_another: ko::Cms::new(&another, name, &module).build(),
            signer: read(&certificate),
            other: read(&other),
            key: key.key,
            certificate,
            module,
        }
    })
}

/// The first byte chooses: a file; a file to pack; a signature of the known module; a certificate; a `.modinfo`.
pub fn check(data: &[u8]) -> bool {
    let Some((kind, data)) = data.split_first() else { return false };
    match kind % 5 {
        0 => file(data),
        1 => packed(data),
        2 => signature(data),
        3 => certificate(data),
        _ => modinfo(data),
    }
}

fn file(data: &[u8]) -> bool {
    let Ok(module) = KernelModule::read_within(data, LIMIT) else { return false };
    let image = module.image();
    assert!(image.len() as u64 <= LIMIT && image.starts_with(module.signed_content()));
    assert!(module.compression() != Compression::None || image == data);
    match module.signature() {
        None => assert!(module.signed_content() == image && !image.ends_with(ko::MARKER)),
        Some(signature) => {
            assert!((1..=8).contains(&signature.signers().len()));
            let rest = 12 + ko::MARKER.len();
            assert_eq!(module.signed_content().len() + signature.size() + rest, image.len());
        }
    }
    // What came out of a container is read as if it had been in none.
    let again = KernelModule::read_within(image, LIMIT).expect("an image is a module");
    same(&module, &again);
    verifies(&module);
    true
}

fn packed(data: &[u8]) -> bool {
    let plain = KernelModule::read_within(data, LIMIT);
    for (pack, compression) in
        [(gzip as fn(&[u8]) -> Vec<u8>, Compression::Gzip), (xz, Compression::Xz), (zstd, Compression::Zstd)]
    {
        let file = pack(data);
        match (&plain, KernelModule::read_within(&file, LIMIT)) {
            (Ok(plain), Ok(unpacked)) if plain.compression() == Compression::None => {
                assert_eq!((unpacked.compression(), unpacked.image()), (compression, data));
                same(plain, &unpacked);
            }
            // A container in a container is no module.
            (Ok(plain), unpacked) => assert!(plain.compression() != Compression::None && unpacked.is_err()),
            (Err(_), unpacked) => assert!(unpacked.is_err()),
        }
    }
    plain.is_ok()
}

fn signature(data: &[u8]) -> bool {
    let file = ko::append(&known().module, data);
    let Ok(module) = KernelModule::read_within(&file, LIMIT) else { return false };
    assert_eq!(module.signed_content(), known().module);
    assert_eq!(module.signature().map(|signature| signature.size()), Some(data.len()));
    verifies(&module)
}

fn certificate(data: &[u8]) -> bool {
    let Ok(certificate) = Certificate::read(data) else { return false };
    if data[0] == 0x30 {
        let text = pem::encode("CERTIFICATE", data);
        assert_eq!(Certificate::read(text.as_bytes()).as_ref(), Ok(&certificate));
        let file = ko::append(&known().module, &known().signature);
        let verified = KernelModule::read(&file).expect("a module").verify(&certificate).is_ok();
        assert!(
            !verified || data.windows(known().key.len()).any(|part| part == known().key),
            "verified by another key"
        );
    }
    true
}

fn modinfo(data: &[u8]) -> bool {
    let file = ko::Elf::new(data).build();
    let module = KernelModule::read_within(&file, LIMIT);
    assert_eq!(module.is_ok(), data.last() == Some(&0), "{module:?}");
    let Ok(module) = module else { return false };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut entries = Vec::new();
    for line in data.split(|&byte| byte == 0) {
        let mut halves = line.splitn(2, |&byte| byte == b'=');
        if let (Some(key), Some(value)) = (halves.next(), halves.next()) {
            entries.push((text(key), text(value)));
        }
    }
    let read: Vec<_> = module.info().entries().map(|(key, value)| (key.into_owned(), value.into_owned())).collect();
    assert_eq!(read, entries);
    for key in ["name", "version", "vermagic", "srcversion"] {
        let values: Vec<_> = entries.iter().filter(|entry| entry.0 == key).map(|entry| &entry.1[..]).collect();
        assert_eq!(module.info().first(key).as_deref(), values.first().copied());
        let differ = values.iter().any(|value| value != &values[0]);
        assert_eq!(module.info().ambiguous().contains(&key), differ);
    }
    true
}

fn same(one: &KernelModule<'_>, other: &KernelModule<'_>) {
    assert_eq!(one.info(), other.info());
    assert_eq!(one.signature(), other.signature());
    assert_eq!((one.architecture(), one.signed_content()), (other.architecture(), other.signed_content()));
}

/// Whether the signer's certificate verifies it. Another's must not, nor it anything else.
fn verifies(module: &KernelModule<'_>) -> bool {
    let known = known();
    let by_another = module.verify(&known.other).is_ok();
    assert!(!by_another || module.signed_content() == known.module);
    let verified = module.verify(&known.signer).is_ok();
    assert!(!verified || module.signed_content() == known.module, "another module was verified");
    verified
}
