//! Key files: what is read is written and read again as the same key. A public key in DER has one form.

use std::sync::OnceLock;

use pqc_gpu_driver::identity::{Identity, PublicIdentity, PublicKey};

use crate::{honest, pem};

/// The first byte chooses: a file's text, or the DER of one of two keys beside a good one.
pub fn check(data: &[u8]) -> bool {
    let Some((kind, data)) = data.split_first() else { return false };
    let [private, public] = good_files();
    let [signing_file, kem_file] = [0, 1].map(|i| block(private, i));
    let [signing, kem] = [0, 1].map(|i| block(public, i));
    match kind {
        0 => core::str::from_utf8(data).is_ok_and(file),
        1 => one_form(&[&pem::encode("PUBLIC KEY", data), kem].concat()),
        2 => one_form(&[signing, &pem::encode("PUBLIC KEY", data)].concat()),
        3 => file(&[&pem::encode("PRIVATE KEY", data), kem_file].concat()),
        _ => file(&[signing_file, &pem::encode("PRIVATE KEY", data)].concat()),
    }
}

fn file(text: &str) -> bool {
    let mut accepted = false;
    if let Ok(identity) = Identity::from_pem(text) {
        let written = identity.to_pem().expect("writes");
        assert_eq!(Identity::from_pem(&written).expect("reads").public(), identity.public());
        // What is an identity can be imported, as the same.
        assert_eq!(Identity::import_pem(text).expect("imports").public(), identity.public());
        accepted = true;
    } else if let Ok(identity) = Identity::import_pem(text) {
        let written = identity.to_pem().expect("writes");
        assert_eq!(Identity::from_pem(&written).expect("reads").public_key(), identity.public_key());
        accepted = true;
    }
    accepted | public_file(text)
}

fn public_file(text: &str) -> bool {
    let key = PublicKey::from_pem(text);
    let Ok(public) = PublicIdentity::from_pem(text) else { return key.is_ok() };
    assert_eq!(key.as_ref(), Ok(public.signing_key()));
    assert_eq!(PublicIdentity::from_pem(&public.to_pem().expect("writes")).as_ref(), Ok(&public));
    true
}

/// Of blocks in the one text form, what is accepted is written again to the byte.
fn one_form(text: &str) -> bool {
    let accepted = public_file(text);
    if let Ok(public) = PublicIdentity::from_pem(text) {
        assert_eq!(public.to_pem().expect("writes"), text);
    }
    accepted
}

/// A private and a public key file.
pub fn good_files() -> &'static [String; 2] {
    static FILES: OnceLock<[String; 2]> = OnceLock::new();
    FILES.get_or_init(|| {
        let [host, _] = honest::identities();
        [host.to_pem().expect("writes").to_string(), host.public().to_pem().expect("writes")]
    })
}

/// The first or second block of such a file.
pub fn block(file: &str, which: usize) -> &str {
    let second = file.rfind("-----BEGIN").expect("two blocks");
    if which == 0 { &file[..second] } else { &file[second..] }
}
