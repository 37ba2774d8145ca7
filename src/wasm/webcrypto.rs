//! AES-256-GCM by the browser's WebCrypto (W3C Web Cryptography API, section 29), where there is no WebGPU.

use js_sys::{Array, ArrayBuffer, Object, Promise, Reflect, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use zeroize::Zeroize;

use crate::{Error, Result};

#[wasm_bindgen]
extern "C" {
    type SubtleCrypto;
    #[wasm_bindgen(method, js_name = importKey, catch)]
    fn import_key(
        this: &SubtleCrypto,
        format: &str,
        key: &Uint8Array,
        algorithm: &str,
        extractable: bool,
        usages: &Array,
    ) -> Result<Promise, JsValue>;
    #[wasm_bindgen(method, catch)]
    fn decrypt(this: &SubtleCrypto, algorithm: &Object, key: &JsValue, data: &Uint8Array) -> Result<Promise, JsValue>;
}

fn subtle() -> Option<SubtleCrypto> {
    let property = |of: &JsValue, name: &str| Reflect::get(of, &name.into()).ok().filter(JsValue::is_object);
    property(&js_sys::global(), "crypto").and_then(|crypto| property(&crypto, "subtle")).map(JsCast::unchecked_into)
}

/// Whether the browser has it here; it has it in secure contexts only.
pub(super) fn is_there() -> bool {
    subtle().is_some()
}

/// A key that JavaScript cannot read.
pub(super) struct Key {
    subtle: SubtleCrypto,
    key: JsValue,
}

impl Key {
    pub(super) async fn import(key: &[u8; 32]) -> Result<Self> {
        let failed = |_| Error::Backend("WebCrypto took no AES-256-GCM key".into());
        let subtle = subtle().ok_or(Error::Backend("this browser has no WebCrypto here".into()))?;
        let raw = Uint8Array::from(&key[..]);
        let imported = subtle.import_key("raw", &raw, "AES-GCM", false, &Array::of1(&"decrypt".into()));
        let imported = match imported {
            Ok(promise) => JsFuture::from(promise).await.map_err(failed),
            Err(thrown) => Err(failed(thrown)),
        };
        raw.fill(0, 0, 32);
        Ok(Key { key: imported?, subtle })
    }

    /// Begins to open a chunk, its tag at its end, under an empty AAD.
    pub(super) fn open(&self, mut nonce: [u8; 12], chunk: &Uint8Array) -> Result<Promise> {
        let algorithm = Object::new();
        let iv = Uint8Array::from(&nonce[..]);
        nonce.zeroize();
        for (key, value) in [("name", JsValue::from("AES-GCM")), ("iv", iv.into())] {
            // A plain object takes every property.
            let _ = Reflect::set(&algorithm, &key.into(), &value);
        }
        self.subtle.decrypt(&algorithm, &self.key, chunk).map_err(|_| Error::Decryption)
    }
}

/// What an opened chunk holds.
pub(super) async fn plaintext(opening: Promise) -> Result<Uint8Array> {
    let opened = JsFuture::from(opening).await.map_err(|_| Error::Decryption)?;
    let opened: ArrayBuffer = opened.dyn_into().map_err(|_| Error::Backend("WebCrypto gave no bytes".into()))?;
    Ok(Uint8Array::new(&opened))
}
