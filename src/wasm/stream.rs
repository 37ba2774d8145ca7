//! A duplex stream of bytes as JavaScript brings it, as one of [`futures_io`]'s.

use core::{
    pin::Pin,
    task::{Context, Poll},
};
use std::io::{Error as IoError, Result as IoResult};

use futures_io::{AsyncRead, AsyncWrite};
use js_sys::{Promise, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

#[wasm_bindgen(typescript_custom_section)]
const TYPESCRIPT: &str = "
/** A duplex stream of bytes. */
export interface ByteStream {
  /** Some bytes, at least one; undefined at the end. */
  read(): Promise<Uint8Array | undefined>;
  /** Takes the bytes over, and resolves when it can take more. */
  write(bytes: Uint8Array): Promise<void>;
}
";

#[wasm_bindgen]
extern "C" {
    /// Bytes in and out.
    #[wasm_bindgen(typescript_type = "ByteStream")]
    #[derive(Clone)]
    pub type ByteStream;
    #[wasm_bindgen(method, catch)]
    fn read(this: &ByteStream) -> Result<Promise, JsValue>;
    #[wasm_bindgen(method, catch)]
    fn write(this: &ByteStream, bytes: Uint8Array) -> Result<Promise, JsValue>;
}

/// One direction, or both, of a [`ByteStream`].
pub(super) struct Duplex {
    stream: ByteStream,
    reading: Option<JsFuture>,
    /// What came and was not yet read.
    held: Option<Uint8Array>,
    writing: Option<JsFuture>,
}

impl Duplex {
    pub(super) fn new(stream: ByteStream) -> Self {
        Duplex { stream, reading: None, held: None, writing: None }
    }

    fn poll_written(&mut self, context: &mut Context<'_>) -> Poll<IoResult<()>> {
        let Some(writing) = &mut self.writing else { return Poll::Ready(Ok(())) };
        let Poll::Ready(written) = Pin::new(writing).poll(context) else { return Poll::Pending };
        self.writing = None;
        Poll::Ready(written.map(drop).map_err(|thrown| failed(&thrown)))
    }
}

fn failed(thrown: &JsValue) -> IoError {
    let text = js_sys::Reflect::get(thrown, &"message".into()).ok().and_then(|message| message.as_string());
    IoError::other(text.unwrap_or_else(|| "the stream failed".into()))
}

impl AsyncRead for Duplex {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut [u8]) -> Poll<IoResult<usize>> {
        let this = self.get_mut();
        loop {
            if let Some(held) = this.held.take() {
                let length = held.length().min(u32::try_from(into.len()).unwrap_or(u32::MAX));
                held.subarray(0, length).copy_to(&mut into[..length as usize]);
                if length < held.length() {
                    this.held = Some(held.subarray(length, held.length()));
                }
                return Poll::Ready(Ok(length as usize));
            }
            if this.reading.is_none() {
                this.reading = Some(JsFuture::from(this.stream.read().map_err(|thrown| failed(&thrown))?));
            }
            let Some(reading) = &mut this.reading else { continue };
            let Poll::Ready(read) = Pin::new(reading).poll(context) else { return Poll::Pending };
            this.reading = None;
            let bytes = read.map_err(|thrown| failed(&thrown))?;
            if bytes.is_undefined() {
                return Poll::Ready(Ok(0));
            }
            let bytes: Uint8Array = bytes.dyn_into().map_err(|_| failed(&JsValue::UNDEFINED))?;
            if bytes.length() > 0 {
                this.held = Some(bytes);
            }
        }
    }
}

impl AsyncWrite for Duplex {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, from: &[u8]) -> Poll<IoResult<usize>> {
        let this = self.get_mut();
        match this.poll_written(context)? {
            Poll::Pending => Poll::Pending,
            Poll::Ready(()) => {
                let promise = this.stream.write(Uint8Array::from(from)).map_err(|thrown| failed(&thrown))?;
                this.writing = Some(JsFuture::from(promise));
                Poll::Ready(Ok(from.len()))
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<IoResult<()>> {
        self.get_mut().poll_written(context)
    }

    fn poll_close(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<IoResult<()>> {
        self.poll_flush(context)
    }
}
