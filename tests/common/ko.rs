//! Kernel modules, their signatures and certificates, written by hand and not with the library's code, so that every
//! field of them can be bent.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, missing_docs)]

use aws_lc_rs::{
    rand::SystemRandom,
    rsa::KeySize,
    signature::{
        ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaKeyPair, KeyPair, ML_DSA_44_SIGNING, ML_DSA_65_SIGNING, ML_DSA_87_SIGNING,
        PqdsaKeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
    },
};

pub const MODINFO: &[u8] =
    b"license=GPL\0version=1.2.3\0name=toy\0srcversion=0123456789ABCDEF\0\0\0vermagic=6.12.0 SMP mod_unload \0";
pub const MARKER: &[u8] = b"~Module signature appended~\n";

pub const ML_DSA_65: &str = "2.16.840.1.101.3.4.3.18";
pub const RSA: &str = "1.2.840.113549.1.1.1";
pub const SHA256: &str = "2.16.840.1.101.3.4.2.1";
pub const SHA384: &str = "2.16.840.1.101.3.4.2.2";
pub const SHA512: &str = "2.16.840.1.101.3.4.2.3";
pub const DATA: &str = "1.2.840.113549.1.7.1";
const SIGNED_DATA: &str = "1.2.840.113549.1.7.2";

/// An ELF relocatable file: header, `.modinfo`, section names, section headers.
#[derive(Clone)]
pub struct Elf {
    pub wide: bool,
    pub big: bool,
    pub kind: u16,
    pub machine: u16,
    pub sections: Vec<(&'static str, Vec<u8>)>,
}

impl Elf {
    pub fn new(modinfo: &[u8]) -> Self {
        Elf { wide: true, big: false, kind: 1, machine: 62, sections: vec![(".modinfo", modinfo.to_vec())] }
    }

    pub fn build(&self) -> Vec<u8> {
        let number = |value: u64, bytes: usize| match self.big {
            true => value.to_be_bytes()[8 - bytes..].to_vec(),
            false => value.to_le_bytes()[..bytes].to_vec(),
        };
        let (word, header) = if self.wide { (8, 64) } else { (4, 52) };
        let (mut names, mut data, mut table) = (vec![0], Vec::new(), vec![0; if self.wide { 64 } else { 40 }]);
        let mut add = |name: &str, kind: u64, content: &[u8], names: &[u8], data: &mut Vec<u8>| {
            let fields = [(0, word), ((header + data.len()) as u64, word), (content.len() as u64, word)];
            table.extend([number((names.len() - name.len() - 1) as u64, 4), number(kind, 4), number(0, word)].concat());
            fields.iter().for_each(|&(value, bytes)| table.extend(number(value, bytes)));
            table.extend([number(0, 4), number(0, 4), number(1, word), number(0, word)].concat());
            data.extend(content);
        };
        for (name, content) in &self.sections {
            names.extend([name.as_bytes(), &[0]].concat());
            add(name, 1, content, &names, &mut data);
        }
        names.extend(b".shstrtab\0");
        let own = names.clone();
        add(".shstrtab", 3, &own, &names, &mut data);
        let ident = [&b"\x7fELF"[..], &[1 + u8::from(self.wide), 1 + u8::from(self.big), 1], &[0; 9]].concat();
        let count = self.sections.len() as u64 + 2;
        [
            ident,
            [number(self.kind.into(), 2), number(self.machine.into(), 2), number(1, 4), number(0, word)].concat(),
            [number(0, word), number((header + data.len()) as u64, word), number(0, 4)].concat(),
            [number(header as u64, 2), number(0, 4), number(if self.wide { 64 } else { 40 }, 2)].concat(),
            [number(count, 2), number(count - 1, 2)].concat(),
            data,
            table,
        ]
        .concat()
    }
}

/// A module that says what [`MODINFO`] says.
pub fn module() -> Vec<u8> {
    Elf::new(MODINFO).build()
}

/// Appends a signature with the trailer's fields as they should be.
pub fn append(module: &[u8], cms: &[u8]) -> Vec<u8> {
    let length = (cms.len() as u32).to_be_bytes();
    [module, cms, &[0, 0, 2, 0, 0, 0, 0, 0], &length, MARKER].concat()
}

/// One element of DER.
pub fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let length = &length[length.iter().position(|&byte| byte > 0).unwrap_or(length.len() - 1)..];
    match content.len() {
        0..=127 => [&[tag, content.len() as u8], content].concat(),
        _ => [&[tag, 0x80 | length.len() as u8], length, content].concat(),
    }
}

pub fn sequence(fields: &[&[u8]]) -> Vec<u8> {
    tlv(0x30, &fields.concat())
}

pub fn oid(text: &str) -> Vec<u8> {
    let arcs: Vec<u64> = text.split('.').map(|arc| arc.parse().unwrap()).collect();
    let mut content = vec![(arcs[0] * 40 + arcs[1]) as u8];
    for &arc in &arcs[2..] {
        let groups = (1..10).find(|&groups| arc >> (7 * groups) == 0).unwrap();
        content.extend((0..groups).rev().map(|at| (arc >> (7 * at)) as u8 & 0x7f | if at > 0 { 0x80 } else { 0 }));
    }
    tlv(6, &content)
}

pub fn name(common_name: &str) -> Vec<u8> {
    sequence(&[&tlv(0x31, &sequence(&[&oid("2.5.4.3"), &tlv(12, common_name.as_bytes())]))])
}

type Sign = Box<dyn Fn(&[u8]) -> Vec<u8>>;

/// A key pair with what its algorithm is called in certificates and in signatures.
pub struct Key {
    pub spki: Vec<u8>,
    pub algorithm: Vec<u8>,
    pub digest: &'static str,
    pub key: Vec<u8>,
    pub sign: Sign,
}

impl Key {
    /// ML-DSA-44, -65 or -87.
    pub fn ml_dsa(level: usize) -> Self {
        let algorithm = match level {
            44 => &ML_DSA_44_SIGNING,
            65 => &ML_DSA_65_SIGNING,
            _ => &ML_DSA_87_SIGNING,
        };
        Self::of(PqdsaKeyPair::generate(algorithm).unwrap(), level)
    }

    /// ML-DSA-65, the same in every run.
    pub fn ml_dsa_65_from_seed(seed: [u8; 32]) -> Self {
        Self::of(PqdsaKeyPair::from_seed(&ML_DSA_65_SIGNING, &seed).unwrap(), 65)
    }

    fn of(pair: PqdsaKeyPair, level: usize) -> Self {
        let (arc, length) = match level {
            44 => ("17", 2420),
            65 => ("18", 3309),
            _ => ("19", 4627),
        };
        let algorithm = sequence(&[&oid(&format!("2.16.840.1.101.3.4.3.{arc}"))]);
        let key = pair.public_key().as_ref().to_vec();
        let sign = move |message: &[u8]| {
            let mut signature = vec![0; length];
            pair.sign(message, &mut signature).unwrap();
            signature
        };
        Key { spki: algorithm.clone(), algorithm, digest: SHA512, key, sign: Box::new(sign) }
    }

    pub fn rsa() -> Self {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let algorithm = sequence(&[&oid(RSA), &tlv(5, &[])]);
        let key = pair.public_key().as_ref().to_vec();
        let sign = move |message: &[u8]| {
            let mut signature = vec![0; pair.public_modulus_len()];
            pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature).unwrap();
            signature
        };
        Key { spki: algorithm.clone(), algorithm, digest: SHA256, key, sign: Box::new(sign) }
    }

    pub fn p384() -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_ASN1_SIGNING).unwrap();
        let key = pair.public_key().as_ref().to_vec();
        let sign = move |message: &[u8]| pair.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec();
        Key {
            spki: sequence(&[&oid("1.2.840.10045.2.1"), &oid("1.3.132.0.34")]),
            algorithm: sequence(&[&oid("1.2.840.10045.4.3.3")]),
            digest: SHA384,
            key,
            sign: Box::new(sign),
        }
    }

    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        (self.sign)(message)
    }

    /// A certificate by itself on itself: serial number 0x1234, subject key identifier "key".
    pub fn certificate(&self, subject: &str) -> Vec<u8> {
        let key = tlv(3, &[&[0], &self.key[..]].concat());
        let spki = sequence(&[&self.spki, &key]);
        let date = |text: &str| tlv(0x17, text.as_bytes());
        let extension = sequence(&[&oid("2.5.29.14"), &tlv(4, &tlv(4, b"key"))]);
        let tbs = sequence(&[
            &tlv(0xa0, &tlv(2, &[2])),
            &tlv(2, &[0x12, 0x34]),
            &self.algorithm,
            &name(subject),
            &sequence(&[&date("260101000000Z"), &date("360101000000Z")]),
            &name(subject),
            &spki,
            &tlv(0xa3, &sequence(&[&extension])),
        ]);
        sequence(&[&tbs, &self.algorithm, &tlv(3, &[&[0], &self.sign(&tbs)[..]].concat())])
    }
}

/// A CMS SignedData whose parts can be bent before it is put together.
#[derive(Clone)]
pub struct Cms {
    pub content: Vec<u8>,
    pub version: u8,
    pub id: Vec<u8>,
    pub digest: &'static str,
    pub attributes: Option<Vec<u8>>,
    pub algorithm: Vec<u8>,
    pub signature: Vec<u8>,
    pub signers: usize,
}

impl Cms {
    /// By issuer and serial number, over the content itself.
    pub fn new(key: &Key, issuer: &str, content: &[u8]) -> Self {
        Cms {
            content: sequence(&[&oid(DATA)]),
            version: 1,
            id: sequence(&[&name(issuer), &tlv(2, &[0x12, 0x34])]),
            digest: key.digest,
            attributes: None,
            algorithm: key.algorithm.clone(),
            signature: key.sign(content),
            signers: 1,
        }
    }

    /// Over these attributes, given as the content of their SET.
    pub fn over(mut self, key: &Key, attributes: Vec<u8>) -> Self {
        self.signature = key.sign(&tlv(0x31, &attributes));
        self.attributes = Some(attributes);
        self
    }

    pub fn signer(&self) -> Vec<u8> {
        let attributes = self.attributes.as_ref().map(|set| tlv(0xa0, set)).unwrap_or_default();
        sequence(&[
            &tlv(2, &[self.version]),
            &self.id,
            &sequence(&[&oid(self.digest)]),
            &attributes,
            &self.algorithm,
            &tlv(4, &self.signature),
        ])
    }

    pub fn build(&self) -> Vec<u8> {
        wrap(&self.content, &self.signer().repeat(self.signers))
    }
}

/// SignedData around a content and signers.
pub fn wrap(content: &[u8], signers: &[u8]) -> Vec<u8> {
    let digests = tlv(0x31, &sequence(&[&oid(SHA512)]));
    let data = sequence(&[&tlv(2, &[1]), &digests, content, &tlv(0x31, signers)]);
    sequence(&[&oid(SIGNED_DATA), &tlv(0xa0, &data)])
}

/// An attribute with one value.
pub fn attribute(name: &str, value: &[u8]) -> Vec<u8> {
    sequence(&[&oid(name), &tlv(0x31, value)])
}

/// The attributes that must be there: content type and message digest.
pub fn attributes(digest: &[u8]) -> Vec<u8> {
    let content_type = attribute("1.2.840.113549.1.9.3", &oid(DATA));
    [content_type, attribute("1.2.840.113549.1.9.4", &tlv(4, digest))].concat()
}

/// A module signed with ML-DSA-65, and the signer's certificate.
pub fn signed() -> (Vec<u8>, Vec<u8>) {
    let key = Key::ml_dsa(65);
    let module = module();
    (append(&module, &Cms::new(&key, "signer", &module).build()), key.certificate("signer"))
}
