//! Sealed files, opened tensor by tensor as their bytes come.

use core::{cell::RefCell, ops::Range};

use js_sys::{Function, Object, Reflect, Uint8Array};
use wasm_bindgen::prelude::*;
use zeroize::Zeroizing;

use super::{
    failure::{Outcome, thrown, thrown_by},
    identity::{Identity, trust},
    opener::{Backend, Gpu, Opener},
    source::{ByteSource, JsSource},
    tensor::{Place, Tensor},
    webcrypto,
};
use crate::{
    Error, Result,
    channel::chunk::SEALED_CHUNK_BYTES,
    device::web::GpuBuffer,
    error::SealedFailure,
    sealed::{Roots, SealedBody, SealedModel, tree},
    transfer::Destination,
    transport::PIECE_BYTES,
};

/// So many sealed bytes, or tensors, are opened before the GPU is waited for.
const IN_FLIGHT_BYTES: u64 = 16 << 20;
const IN_FLIGHT: usize = 32;

/// A sealed file whose front was verified, in docs/sealed-format.md's order.
#[wasm_bindgen]
pub struct SealedFile(SealedModel<JsSource>);

#[wasm_bindgen]
impl SealedFile {
    /// Reads and verifies the front. `trusted` are the publishers' public keys as PEM; undefined accepts anyone.
    pub async fn open(
        source: ByteSource,
        identity: &Identity,
        trusted: Option<Vec<String>>,
        minimum_release: f64,
    ) -> Outcome<SealedFile> {
        let (source, trust) = (JsSource::new(source), trust(trusted)?);
        let opened = SealedModel::open(source.clone(), &identity.0, &trust, minimum_release as u64).await;
        opened.map(SealedFile).map_err(|error| source.take_thrown().unwrap_or_else(|| thrown(error)))
    }

    /// The publisher's DID.
    #[wasm_bindgen(getter)]
    pub fn publisher(&self) -> String {
        self.0.manifest().publisher().to_string()
    }

    /// Whether the publisher's key was among those trusted; else anyone may be the publisher.
    #[wasm_bindgen(getter, js_name = publisherPinned)]
    pub fn publisher_pinned(&self) -> bool {
        self.0.front().publisher_is_pinned()
    }

    /// The publisher's count of releases.
    #[wasm_bindgen(getter)]
    pub fn release(&self) -> f64 {
        self.0.manifest().release() as f64
    }

    /// The model's own metadata, as an object of texts.
    #[wasm_bindgen(getter)]
    pub fn metadata(&self) -> Object {
        let pairs = self.0.manifest().metadata().iter();
        object(pairs.map(|(key, value)| (key.as_str(), value.as_str().into())))
    }

    /// What the tensors are, in the order of the file: an array of name, id, dtype, shape, byteLength and end, the offset in the file
    /// where the tensor's bytes end.
    #[wasm_bindgen(getter)]
    pub fn tensors(&self) -> js_sys::Array {
        let start = self.0.front().bodies_start();
        let described = self.0.manifest().tensors().iter().map(|tensor| {
            let (what, body) = (tensor.metadata(), tensor.body());
            let shape: js_sys::Array = what.shape().extents().iter().map(|&e| JsValue::from(e as f64)).collect();
            object([
                ("name", what.name().into()),
                ("id", what.tensor_id().into()),
                ("dtype", what.dtype().name().into()),
                ("shape", shape.into()),
                ("byteLength", (what.size_bytes() as f64).into()),
                ("end", ((start + body.end) as f64).into()),
            ])
        });
        described.collect()
    }

    /// Opens `count` tensors from number `first` on, in the order of the file, and calls `give` with each once it is verified and released.
    /// `progress` is called with the offset in the file up to which bytes have come. A single tensor may be opened into a
    /// buffer of the page's, from an offset on that is a multiple of 256.
    ///
    /// Fails with the first tensor's error; those before it were given, those after it are not.
    #[wasm_bindgen(js_name = openTensors)]
    #[allow(clippy::too_many_arguments)] // JavaScript's options, taken apart
    pub async fn open_tensors(
        &self,
        opener: &Opener,
        first: u32,
        count: u32,
        check_roots: bool,
        into: Option<GpuBuffer>,
        offset: f64,
        progress: Function,
        give: Function,
    ) -> Outcome<()> {
        let tensors = self.0.manifest().tensors().len() as u64;
        if u64::from(first) + u64::from(count) > tensors {
            return Err(thrown(Error::Usage("the file has no such tensor")));
        }
        let roots = if check_roots { Roots::Check } else { Roots::Skip };
        let job = Job { file: self, tensors: first..first + count, roots, progress, give, thrown: RefCell::default() };
        match &opener.0 {
            Backend::WebGpu(gpu) => {
                let opened = job.on_gpu(gpu, into, offset as u64).await;
                opened.map_err(|error| job.rethrown().unwrap_or_else(|| thrown_by(&gpu.device, error)))
            }
            _ if into.is_some() => Err(thrown(Error::Usage("without WebGPU there is no buffer to open into"))),
            Backend::WebCrypto => {
                job.by_webcrypto().await.map_err(|error| job.rethrown().unwrap_or_else(|| thrown(error)))
            }
            Backend::Wasm => job.by_wasm().await.map_err(|error| job.rethrown().unwrap_or_else(|| thrown(error))),
        }
    }
}

fn object<'a>(pairs: impl IntoIterator<Item = (&'a str, JsValue)>) -> Object {
    let object = Object::new();
    for (key, value) in pairs {
        // A plain object takes every property; `defineProperty` makes even "__proto__" one.
        let property = Object::new();
        for (name, value) in [("value", value), ("enumerable", true.into())] {
            let _ = Reflect::set(&property, &name.into(), &value);
        }
        Object::define_property(&object, &key.into(), &property);
    }
    object
}

/// Tensors being opened.
struct Job<'f> {
    file: &'f SealedFile,
    tensors: Range<u32>,
    roots: Roots,
    progress: Function,
    give: Function,
    /// What a call of the page's threw.
    thrown: RefCell<Option<JsValue>>,
}

impl Job<'_> {
    fn model(&self) -> &SealedModel<JsSource> {
        &self.file.0
    }

    fn rethrown(&self) -> Option<JsValue> {
        self.thrown.take().or_else(|| self.model().source().take_thrown())
    }

    fn call(&self, function: &Function, argument: &JsValue) -> Result<()> {
        function.call1(&JsValue::NULL, argument).map(drop).map_err(|thrown| {
            *self.thrown.borrow_mut() = Some(thrown);
            Error::Usage("a function of the page's threw")
        })
    }

    fn give(&self, tensor: Tensor) -> Result<()> {
        self.call(&self.give, &tensor.into())
    }

    async fn on_gpu(&self, gpu: &Gpu, into: Option<GpuBuffer>, offset: u64) -> Result<()> {
        let mut transfer = gpu.transfer().await;
        // An earlier job that was given up may have left results behind.
        transfer.settle().await;
        let into = into.map(|buffer| gpu.device.adopt(buffer)).transpose()?;
        let (mut bytes, mut waiting) = (0, 0);
        let mut staging = Staging::default();
        for index in self.tensors.clone() {
            let body = self.model().body(index)?;
            let destination = match &into {
                Some(buffer) => Destination::Buffer(buffer, offset),
                None => Destination::Owned,
            };
            let mut arrival = transfer.sealed_arrival(&body.whole(self.roots), destination).await?;
            let mut pieces = Pieces::of(self, index, &body)?;
            while let Some(piece) = pieces.next(&mut staging).await? {
                arrival.push(&mut transfer, piece).await?;
            }
            pieces.end().await?;
            arrival.finish(&mut transfer)?;
            (bytes, waiting) = (bytes + body.sealed_bytes(), waiting + 1);
            if bytes >= IN_FLIGHT_BYTES || waiting == IN_FLIGHT || index + 1 == self.tensors.end {
                for settled in transfer.settle().await {
                    let tensor = settled?;
                    let metadata = tensor.metadata().clone();
                    self.give(Tensor::new(metadata, Place::Gpu(tensor), Some(self.roots)))?;
                }
                (bytes, waiting) = (0, 0);
            }
        }
        Ok(())
    }

    async fn by_wasm(&self) -> Result<()> {
        let (mut staging, mut plaintext) = (Staging::default(), Zeroizing::new(Vec::with_capacity(PIECE_BYTES)));
        for index in self.tensors.clone() {
            let body = self.model().body(index)?;
            let mut opener = self.model().opener(index, self.roots)?;
            let mut output = Output::new(&body)?;
            let mut pieces = Pieces::of(self, index, &body)?;
            while let Some(piece) = pieces.next(&mut staging).await? {
                plaintext.clear();
                opener.open(piece, &mut plaintext)?;
                output.append(&plaintext);
            }
            opener.finish()?;
            pieces.end().await?;
            self.give(output.into_tensor(&body, self.roots))?;
        }
        Ok(())
    }

    async fn by_webcrypto(&self) -> Result<()> {
        let mut staging = Staging::default();
        for index in self.tensors.clone() {
            let body = self.model().body(index)?;
            let key = webcrypto::Key::import(&body.derived().key).await?;
            let mut output = Output::new(&body)?;
            let (mut leaves, mut number) = (Vec::new(), 0u32);
            let mut pieces = Pieces::of(self, index, &body)?;
            while let Some(piece) = pieces.next(&mut staging).await? {
                // Begun together: WebCrypto works on other threads.
                let mut opening = Vec::new();
                for chunk in piece.chunks(SEALED_CHUNK_BYTES as usize) {
                    let mut nonce = *body.derived().base_nonce;
                    nonce[8..].iter_mut().zip(number.to_be_bytes()).for_each(|(n, c)| *n ^= c);
                    opening.push(key.open(nonce, &Uint8Array::from(chunk)));
                    number += 1;
                    if self.roots == Roots::Check {
                        leaves.push(tree::leaf(chunk));
                    }
                }
                // All are awaited, whatever one of them says: a rejection that nobody awaits is an error of the page.
                let mut refused = None;
                for opening in opening {
                    let opened = match opening {
                        Ok(opening) => webcrypto::plaintext(opening).await,
                        Err(error) => Err(error),
                    };
                    match opened {
                        Ok(opened) => {
                            output.append_array(&opened);
                            opened.fill(0, 0, opened.length());
                        }
                        Err(_) => refused = Some(SealedFailure::Ciphertext(index)),
                    }
                }
                if let Some(refused) = refused {
                    return Err(refused.into());
                }
            }
            if self.roots == Roots::Check && tree::root(leaves) != *body.root() {
                return Err(SealedFailure::Root(index).into());
            }
            pieces.end().await?;
            self.give(output.into_tensor(&body, self.roots))?;
        }
        Ok(())
    }
}

/// Memory for one piece of ciphertext.
#[derive(Default)]
struct Staging(Vec<u8>);

/// A body as it comes, in pieces of whole chunks.
struct Pieces<'j, 'f> {
    job: &'j Job<'f>,
    index: u32,
    /// What is still to come, as offsets in the file.
    rest: Range<u64>,
}

impl<'j, 'f> Pieces<'j, 'f> {
    fn of(job: &'j Job<'f>, index: u32, _: &SealedBody) -> Result<Self> {
        Ok(Pieces { job, index, rest: job.model().body_range(index)? })
    }

    async fn next<'s>(&mut self, staging: &'s mut Staging) -> Result<Option<&'s [u8]>> {
        let length = (self.rest.end - self.rest.start).min(PIECE_BYTES as u64) as usize;
        if length == 0 {
            return Ok(None);
        }
        let Staging(memory) = staging;
        memory.resize(PIECE_BYTES.max(memory.len()), 0);
        self.read(&mut memory[..length]).await?;
        Ok(Some(&memory[..length]))
    }

    /// Behind the last piece: the bytes up to the next body are zero.
    async fn end(&mut self) -> Result<()> {
        let Ok(next) = self.job.model().body_range(self.index + 1) else { return Ok(()) };
        let mut zeros = vec![0; (next.start - self.rest.start) as usize];
        let from = self.rest.start;
        self.read(&mut zeros).await?;
        match zeros.iter().position(|&byte| byte != 0) {
            Some(at) => Err(SealedFailure::Padding(from + at as u64).into()),
            None => Ok(()),
        }
    }

    async fn read(&mut self, into: &mut [u8]) -> Result<()> {
        let mut at = 0;
        while at < into.len() {
            let bytes = self.job.model().source().some(self.rest.start, (into.len() - at) as u64).await?;
            let end = at + bytes.length() as usize;
            bytes.copy_to(&mut into[at..end]);
            at = end;
            self.rest.start += u64::from(bytes.length());
            self.job.call(&self.job.progress, &(self.rest.start as f64).into())?;
        }
        Ok(())
    }
}

/// A tensor's plaintext in JavaScript's memory, which nobody else has before it is released; erased where it never is.
struct Output {
    bytes: Uint8Array,
    length: u32,
    released: bool,
}

impl Output {
    fn new(body: &SealedBody) -> Result<Self> {
        let size = u32::try_from(body.metadata().size_bytes())
            .map_err(|_| Error::Backend("without WebGPU tensors are shorter than 4 GiB".into()))?;
        Ok(Output { bytes: Uint8Array::new_with_length(size), length: 0, released: false })
    }

    fn append(&mut self, plaintext: &[u8]) {
        let end = self.length + plaintext.len() as u32;
        self.bytes.subarray(self.length, end).copy_from(plaintext);
        self.length = end;
    }

    fn append_array(&mut self, plaintext: &Uint8Array) {
        self.bytes.set(plaintext, self.length);
        self.length += plaintext.length();
    }

    fn into_tensor(mut self, body: &SealedBody, roots: Roots) -> Tensor {
        self.released = true;
        Tensor::new(body.metadata().clone(), Place::Host(self.bytes.clone()), Some(roots))
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        if !self.released {
            self.bytes.fill(0, 0, self.bytes.length());
        }
    }
}
