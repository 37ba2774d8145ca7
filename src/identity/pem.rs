//! Key files: PEM around PKCS#8 and SPKI (RFC 7468, RFC 5958), ML-DSA-65 after RFC 9881, ML-KEM-768 after RFC 9935.

use pkcs8::{
    DecodePrivateKey, DecodePublicKey, EncodePrivateKey, EncodePublicKey, LineEnding, ObjectIdentifier,
    PrivateKeyInfoRef, SecretDocument, SubjectPublicKeyInfoRef,
    der::{Decode, pem},
};
use zeroize::{Zeroize, Zeroizing};

use super::{ENCAPSULATION_KEY_BYTES, Identity, PublicIdentity, PublicKey, encapsulation_key};
use crate::{Error, Result};

impl Identity {
    /// Writes the two PKCS#8 blocks, ML-DSA-65 (RFC 9881) then ML-KEM-768 (RFC 9935), both as seeds.
    pub fn to_pem(&self) -> Result<Zeroizing<String>> {
        let signing = ml_dsa::SigningKey::<ml_dsa::MlDsa65>::from_seed(&(*self.signing_seed).into());
        let kem = ml_kem::ml_kem_768::DecapsulationKey::from_seed((*self.kem_seed).into());
        let mut text = signing.to_pkcs8_pem(LineEnding::LF).map_err(|_| ENCODING)?;
        let kem_text = kem.to_pkcs8_pem(LineEnding::LF).map_err(|_| ENCODING)?;
        // Reserve before appending, so that no shorter copy of the text is left behind by a reallocation.
        let mut whole = Zeroizing::new(String::with_capacity(text.len() + kem_text.len()));
        whole.push_str(&text);
        whole.push_str(&kem_text);
        text.zeroize();
        Ok(whole)
    }

    /// Reads what [`Identity::to_pem`] writes.
    pub fn from_pem(text: &str) -> Result<Self> {
        match private_keys(text)? {
            (Some(signing), Some(kem)) => Self::from_seeds(signing, kem),
            (Some(_), None) => Err(Error::Identity(
                "the file has no ML-KEM-768 key; import it to make an identity of it (pqc-gpu identity import)",
            )),
            _ => Err(Error::Identity("the file has no ML-DSA-65 private key")),
        }
    }

    /// Makes an identity of another program's key file: an ML-DSA-65 private key as PKCS#8 PEM holding its seed
    /// (alone or beside the expanded key, as OpenSSL writes it), and an ML-KEM-768 key likewise or, if there
    /// is none, a fresh one.
    ///
    /// The key-id and DID follow from the key; none is read from the file.
    pub fn import_pem(text: &str) -> Result<Self> {
        match private_keys(text)? {
            (Some(signing), Some(kem)) => Self::from_seeds(signing, kem),
            (Some(signing), None) => {
                let mut kem = Zeroizing::new([0; 64]);
                getrandom::fill(&mut kem[..]).map_err(|_| Error::Random)?;
                Self::from_seeds(signing, kem)
            }
            _ => Err(Error::Identity("the file has no ML-DSA-65 private key")),
        }
    }
}

impl PublicIdentity {
    /// Writes the two SPKI blocks, ML-DSA-65 (RFC 9881) then ML-KEM-768 (RFC 9935).
    pub fn to_pem(&self) -> Result<String> {
        let signing = ml_dsa::VerifyingKey::<ml_dsa::MlDsa65>::decode(&(*self.signing_key.0).into());
        let kem = encapsulation_key(&self.encapsulation_key[..])?;
        let signing = signing.to_public_key_pem(LineEnding::LF).map_err(|_| ENCODING)?;
        Ok(signing + &kem.to_public_key_pem(LineEnding::LF).map_err(|_| ENCODING)?)
    }

    /// Reads what [`PublicIdentity::to_pem`] writes.
    pub fn from_pem(text: &str) -> Result<Self> {
        let (mut signing, mut kem) = (None, None);
        for block in pem_blocks(text)? {
            let (label, der) = decode_block(block)?;
            if label != "PUBLIC KEY" {
                return Err(Error::Identity("a block other than PUBLIC KEY; give the .pub.pem file"));
            }
            let spki = SubjectPublicKeyInfoRef::from_der(der.as_bytes()).map_err(|_| NOT_A_KEY)?;
            match spki.algorithm.oid {
                ML_DSA_65 if signing.is_none() => signing = Some(PublicKey::from_spki(der.as_bytes())?),
                ML_KEM_768 if kem.is_none() => kem = Some(encapsulation_key_from_spki(der.as_bytes())?),
                _ => return Err(UNEXPECTED_BLOCK),
            }
        }
        match (signing, kem) {
            (Some(signing_key), Some(encapsulation_key)) => Ok(PublicIdentity { signing_key, encapsulation_key }),
            (None, _) => Err(Error::Identity("the file has no ML-DSA-65 public key")),
            (_, None) => Err(Error::Identity("the file has no ML-KEM-768 public key")),
        }
    }
}

impl PublicIdentity {
    /// Reads the ML-KEM-768 SPKI block of a .pub.pem file; blocks of other algorithms beside it are passed over.
    pub(crate) fn encapsulation_key_from_pem(text: &str) -> Result<Box<[u8; ENCAPSULATION_KEY_BYTES]>> {
        for block in pem_blocks(text)? {
            let (label, der) = decode_block(block)?;
            if label != "PUBLIC KEY" {
                return Err(Error::Identity("a block other than PUBLIC KEY; give the .pub.pem file"));
            }
            let spki = SubjectPublicKeyInfoRef::from_der(der.as_bytes()).map_err(|_| NOT_A_KEY)?;
            if spki.algorithm.oid == ML_KEM_768 {
                return encapsulation_key_from_spki(der.as_bytes());
            }
        }
        Err(Error::Identity("the file has no ML-KEM-768 public key"))
    }
}

impl PublicKey {
    /// Reads the ML-DSA-65 SPKI block of a .pub.pem file; blocks of other algorithms beside it are passed over.
    pub fn from_pem(text: &str) -> Result<Self> {
        for block in pem_blocks(text)? {
            let (label, der) = decode_block(block)?;
            if label != "PUBLIC KEY" {
                return Err(Error::Identity("a block other than PUBLIC KEY; give the .pub.pem file"));
            }
            let spki = SubjectPublicKeyInfoRef::from_der(der.as_bytes()).map_err(|_| NOT_A_KEY)?;
            if spki.algorithm.oid == ML_DSA_65 {
                return Self::from_spki(der.as_bytes());
            }
        }
        Err(Error::Identity("the file has no ML-DSA-65 public key"))
    }

    fn from_spki(der: &[u8]) -> Result<Self> {
        let key = ml_dsa::VerifyingKey::<ml_dsa::MlDsa65>::from_public_key_der(der).map_err(|_| NOT_A_KEY)?;
        Self::from_bytes(&key.encode())
    }
}

const ML_DSA_65: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.3.18");
const ML_KEM_768: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.4.2");
const ENCODING: Error = Error::Identity("the key could not be encoded");
const NOT_A_KEY: Error = Error::Identity("a PEM block does not hold a well-formed key");
const UNEXPECTED_BLOCK: Error = Error::Identity("a key of another algorithm, or one more key than expected");

fn encapsulation_key_from_spki(der: &[u8]) -> Result<Box<[u8; ENCAPSULATION_KEY_BYTES]>> {
    let key = ml_kem::ml_kem_768::EncapsulationKey::from_public_key_der(der).map_err(|_| NOT_A_KEY)?;
    let mut bytes = Box::new([0; ENCAPSULATION_KEY_BYTES]);
    bytes.copy_from_slice(&ml_kem::kem::KeyExport::to_bytes(&key));
    Ok(bytes)
}

type Seeds = (Option<Zeroizing<[u8; 32]>>, Option<Zeroizing<[u8; 64]>>);

fn private_keys(text: &str) -> Result<Seeds> {
    let (mut signing, mut kem) = (None, None);
    for block in pem_blocks(text)? {
        let (label, der) = decode_block(block)?;
        match label {
            "PRIVATE KEY" => {}
            "PUBLIC KEY" => return Err(Error::Identity("this is a public key file; the private one is needed")),
            "ENCRYPTED PRIVATE KEY" => {
                return Err(Error::Identity("the key is encrypted; decrypt it first (openssl pkey)"));
            }
            _ => return Err(Error::Identity("a PEM block other than PRIVATE KEY")),
        }
        let info = PrivateKeyInfoRef::from_der(der.as_bytes()).map_err(|_| NOT_A_KEY)?;
        match info.algorithm.oid {
            ML_DSA_65 if signing.is_none() => {
                signing = Some(seed(&der, info.private_key.as_bytes(), check_signing_seed)?)
            }
            ML_KEM_768 if kem.is_none() => kem = Some(seed(&der, info.private_key.as_bytes(), check_kem_seed)?),
            _ => return Err(UNEXPECTED_BLOCK),
        }
    }
    Ok((signing, kem))
}

/// Takes the seed out of RFC 9881's or RFC 9935's private key: `[0]` seed, or SEQUENCE { seed, expanded key },
/// in which case the expanded key must be the seed's own.
fn seed<const N: usize>(
    whole: &SecretDocument,
    key: &[u8],
    check: fn(&SecretDocument, &[u8; N], &[u8]) -> bool,
) -> Result<Zeroizing<[u8; N]>> {
    let mut seed = Zeroizing::new([0; N]);
    // Lengths up to 127 are one byte in DER; both seeds (32, 64) are.
    let expanded = match key {
        [0x80, len, rest @ ..] if *len as usize == N && rest.len() == N => {
            seed.copy_from_slice(rest);
            &[]
        }
        [0x30, 0x82, _, _, 0x04, len, rest @ ..] if *len as usize == N && rest.len() > N + 4 => {
            let (first, second) = rest.split_at(N);
            seed.copy_from_slice(first);
            second
        }
        [0x04, ..] => {
            return Err(Error::Identity(
                "the file holds an expanded key without its seed; export it with the seed (openssl -provparam ml-dsa.output_formats=seed-only)",
            ));
        }
        _ => return Err(NOT_A_KEY),
    };
    if !check(whole, &seed, expanded) {
        return Err(Error::Identity("the seed and the expanded key in the file do not belong together"));
    }
    Ok(seed)
}

fn check_signing_seed(whole: &SecretDocument, seed: &[u8; 32], expanded: &[u8]) -> bool {
    if expanded.is_empty() {
        return ml_dsa::SigningKey::<ml_dsa::MlDsa65>::from_pkcs8_der(whole.as_bytes()).is_ok();
    }
    #[allow(deprecated)] // the deprecation steers people to seeds; here the expanded form is only compared
    let own = ml_dsa::SigningKey::<ml_dsa::MlDsa65>::from_seed(&(*seed).into()).expanded_key().to_expanded();
    is_octet_string(expanded, &own)
}

fn check_kem_seed(whole: &SecretDocument, seed: &[u8; 64], expanded: &[u8]) -> bool {
    if expanded.is_empty() {
        return ml_kem::ml_kem_768::DecapsulationKey::from_pkcs8_der(whole.as_bytes()).is_ok();
    }
    #[allow(deprecated)]
    let own = ml_kem::ExpandedKeyEncoding::to_expanded_bytes(&ml_kem::ml_kem_768::DecapsulationKey::from_seed(
        (*seed).into(),
    ));
    is_octet_string(expanded, &own)
}

/// Whether `der` is exactly OCTET STRING `content`; both expanded keys are longer than 255 bytes.
fn is_octet_string(der: &[u8], content: &[u8]) -> bool {
    let [high, low] = (content.len() as u16).to_be_bytes();
    der.len() == content.len() + 4
        && der[..4] == [0x04, 0x82, high, low]
        && bool::from(subtle::ConstantTimeEq::ct_eq(&der[4..], content))
}

/// Cuts a file of PEM blocks apart; nothing but white space and comment lines may stand between them.
fn pem_blocks(text: &str) -> Result<Vec<&str>> {
    const END: &str = "-----END ";
    let mut blocks = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        if !rest.starts_with("-----BEGIN ") {
            return Err(Error::Identity("not a PEM file"));
        }
        let end = rest.find(END).ok_or(Error::Identity("a PEM block has no end"))?;
        let line = rest[end..].find('\n').map_or(rest.len(), |newline| end + newline + 1);
        blocks.push(&rest[..line]);
        if blocks.len() > 8 {
            return Err(UNEXPECTED_BLOCK);
        }
        rest = rest[line..].trim_start();
    }
    Ok(blocks)
}

fn decode_block(block: &str) -> Result<(&str, SecretDocument)> {
    let label = pem::decode_label(block.as_bytes()).map_err(|_| Error::Identity("not a PEM file"))?;
    let (_, der) = SecretDocument::from_pem(block).map_err(|_| Error::Identity("a PEM block is damaged"))?;
    Ok((label, der))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity() -> Identity {
        Identity::from_seeds(Zeroizing::new([1; 32]), Zeroizing::new([2; 64])).expect("seeds")
    }

    #[test]
    fn pem_round_trips_and_is_seeds_only() {
        let identity = identity();
        let text = identity.to_pem().expect("pem");
        // Two seeds in PKCS#8 take a few lines, expanded keys would take thousands of bytes.
        assert!(text.len() < 500);
        let again = Identity::from_pem(&text).expect("reads");
        assert_eq!(again.public(), identity.public());
        let public = identity.public().to_pem().expect("pem");
        assert_eq!(&PublicIdentity::from_pem(&public).expect("reads"), identity.public());
        assert_eq!(&PublicKey::from_pem(&public).expect("reads"), identity.public_key());
    }

    #[test]
    fn damaged_and_foreign_files_are_refused() {
        let text = identity().to_pem().expect("pem");
        let public = identity().public().to_pem().expect("pem");
        assert!(Identity::from_pem(&public).is_err());
        assert!(PublicIdentity::from_pem(&text).is_err());
        for bad in ["", "x", "-----BEGIN PRIVATE KEY-----", "-----BEGIN A-----\nAA\n-----END A-----\n", "\u{1F511}"] {
            assert!(Identity::from_pem(bad).is_err(), "{bad:?}");
            assert!(Identity::import_pem(bad).is_err(), "{bad:?}");
            assert!(PublicIdentity::from_pem(bad).is_err(), "{bad:?}");
            assert!(PublicKey::from_pem(bad).is_err(), "{bad:?}");
        }
        for at in 0..text.len() {
            let mut cut = text.to_string();
            cut.truncate(at);
            assert!(Identity::from_pem(&cut).is_err() || cut.trim() == text.trim(), "cut at {at}");
        }
        assert!(Identity::from_pem(&format!("{}{}", *text, *text)).is_err(), "each key twice");
    }

    #[test]
    fn openssls_form_imports_and_must_belong_together() {
        let identity = identity();
        #[allow(deprecated)] // the deprecation steers people to seeds; OpenSSL writes both
        let expanded = ml_dsa::SigningKey::<ml_dsa::MlDsa65>::from_seed(&[1; 32].into()).expanded_key().to_expanded();
        let tagged = |tag: u8, content: &[u8]| match content.len() {
            length @ 0..128 => [&[tag, length as u8], content].concat(),
            length => [&[tag, 0x82, (length >> 8) as u8, length as u8], content].concat(),
        };
        let octets = |content: &[u8]| tagged(0x04, content);
        let sequence = |content: Vec<u8>| tagged(0x30, &content);
        let algorithm = [0x30, 0x0b, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x03, 0x12];
        let pem = |key: Vec<u8>| {
            let der = sequence([&[0x02, 0x01, 0x00], &algorithm[..], &octets(&key)].concat());
            pem::encode_string("PRIVATE KEY", LineEnding::LF, &der).expect("encodes")
        };
        let both = |seed: &[u8], expanded: &[u8]| pem(sequence([octets(seed), octets(expanded)].concat()));
        let imported = Identity::import_pem(&both(&[1; 32], &expanded)).expect("imports");
        assert_eq!(imported.public_key(), identity.public_key());
        let seed_only = Identity::import_pem(&pem([&[0x80, 32], &[1; 32][..]].concat())).expect("imports");
        assert_eq!(seed_only.public_key(), identity.public_key());
        let foreign = "the seed and the expanded key in the file do not belong together";
        assert_eq!(Identity::import_pem(&both(&[2; 32], &expanded)).err(), Some(Error::Identity(foreign)));
        for bad in [both(&[1; 31], &expanded), both(&[1; 32], &expanded[1..]), pem(octets(&expanded)), pem(vec![])] {
            assert!(matches!(Identity::import_pem(&bad), Err(Error::Identity(_))));
        }
        let trailing = pem(sequence([octets(&[1; 32]), octets(&expanded), vec![5, 0]].concat()));
        assert!(Identity::import_pem(&trailing).is_err());
    }
}
