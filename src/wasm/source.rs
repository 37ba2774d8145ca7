//! A sealed file's bytes as JavaScript brings them.

use core::cell::RefCell;
use std::rc::Rc;

use js_sys::{Promise, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

use crate::{error::SealedFailure, sealed::Source};

#[wasm_bindgen(typescript_custom_section)]
const TYPESCRIPT: &str = "
/** The bytes of a sealed file. */
export interface ByteSource {
  /** How many there are. */
  readonly size: number;
  /** Some of the bytes from `offset` on, at least one and at most `length`. */
  read(offset: number, length: number): Promise<Uint8Array>;
}
";

#[wasm_bindgen]
extern "C" {
    /// Where bytes come from.
    #[wasm_bindgen(typescript_type = "ByteSource")]
    pub type ByteSource;
    #[wasm_bindgen(method, getter)]
    fn size(this: &ByteSource) -> f64;
    #[wasm_bindgen(method, catch)]
    fn read(this: &ByteSource, offset: f64, length: f64) -> Result<Promise, JsValue>;
}

/// A [`ByteSource`] as a [`Source`]. What JavaScript threw is kept, to be thrown again as it was: an AbortError stays one.
#[derive(Clone)]
pub(super) struct JsSource(Rc<Inner>);

struct Inner {
    source: ByteSource,
    thrown: RefCell<Option<JsValue>>,
}

impl JsSource {
    pub(super) fn new(source: ByteSource) -> Self {
        JsSource(Rc::new(Inner { source, thrown: RefCell::default() }))
    }

    /// What JavaScript threw since the last call.
    pub(super) fn take_thrown(&self) -> Option<JsValue> {
        self.0.thrown.take()
    }

    /// Some bytes, as they lie in JavaScript's memory.
    pub(super) async fn some(&self, offset: u64, length: u64) -> Result<Uint8Array, SealedFailure> {
        let read = async {
            let bytes = JsFuture::from(self.0.source.read(offset as f64, length as f64)?).await?;
            bytes.dyn_into::<Uint8Array>()
        };
        let bytes = read.await.map_err(|thrown| {
            let text = js_sys::Reflect::get(&thrown, &"message".into()).ok().and_then(|message| message.as_string());
            *self.0.thrown.borrow_mut() = Some(thrown);
            SealedFailure::Read(text.unwrap_or_else(|| "the source failed".into()))
        })?;
        if bytes.length() == 0 || u64::from(bytes.length()) > length {
            return Err(SealedFailure::Read("the source gave no bytes, or more than it was asked for".into()));
        }
        Ok(bytes)
    }
}

impl Source for JsSource {
    fn size(&self) -> u64 {
        self.0.source.size() as u64
    }

    async fn read_at(&self, offset: u64, into: &mut [u8]) -> Result<(), SealedFailure> {
        let mut at = 0;
        while at < into.len() {
            let bytes = self.some(offset + at as u64, (into.len() - at) as u64).await?;
            let end = at + bytes.length() as usize;
            bytes.copy_to(&mut into[at..end]);
            at = end;
        }
        Ok(())
    }
}
