//! Single bodies under a caller's key and nonce, for published test vectors and the conformance suite.
//!
//! Hazardous: nothing here keeps a nonce from being used twice, and plaintext is read back to the host.

use core::ops::Range;

use super::{
    body::{
        BodySpec, KeyContext, SealedBuffer, VerdictSlot, alloc_padded, fill, random_word, record_open, record_seal,
    },
    queue::{Queue, Source},
};
use crate::{
    Error, Result,
    device::{CpuDevice, Device},
    kernel::{CHUNK_BYTES, TAG_BYTES, VERDICT_BYTES},
    sealed::{SealedBody, cobblestone, tree},
    tensor::TensorMetadata,
};

/// A body's key, nonce, AAD and chunk size.
#[derive(Clone, Copy)]
pub struct BodyParams<'a> {
    /// AES-256 key.
    pub key: &'a [u8; 32],
    /// Nonce of chunk 0.
    pub nonce: [u8; 12],
    /// AAD of every chunk, of any length.
    pub aad: &'a [u8],
    /// Plaintext bytes of a full chunk, a multiple of 16 and at least 16.
    pub chunk_bytes: u32,
}

impl BodyParams<'_> {
    fn spec(&self, plaintext_bytes: u64) -> Result<BodySpec> {
        if self.chunk_bytes == 0 || !self.chunk_bytes.is_multiple_of(16) {
            return Err(Error::Usage("a chunk is a positive multiple of 16 bytes"));
        }
        let spec = BodySpec::whole(self.nonce, self.aad, plaintext_bytes, self.chunk_bytes);
        if spec.chunks() > u64::from(u32::MAX) || u32::try_from(self.aad.len()).is_err() {
            return Err(Error::Usage("chunks and the AAD's bytes are counted in 32 bits"));
        }
        Ok(spec)
    }

    /// The plaintext length of a body of this length, if there is one.
    pub fn plaintext_bytes(&self, body_bytes: u64) -> Option<u64> {
        const TAG: u64 = crate::kernel::TAG_BYTES as u64;
        let stride = u64::from(self.chunk_bytes) + TAG;
        let last = (body_bytes % stride).checked_sub(TAG)?;
        Some(body_bytes / stride * u64::from(self.chunk_bytes) + last)
    }
}

/// Opens a body on the device and reads back what it wrote: the plaintext, or None and nothing but zeros.
///
/// A failed open whose output is not all zeros is [`Error::Backend`]: the device breaks the release rule.
pub async fn open_body<D: Device>(device: &D, params: BodyParams<'_>, body: &[u8]) -> Result<Option<Vec<u8>>> {
    let Some(bytes) = params.plaintext_bytes(body.len() as u64) else { return Ok(None) };
    let spec = params.spec(bytes)?;
    let mut queue = Queue::new(device);
    let context = KeyContext::expand(device, &mut queue, params.key).await?;
    let sealed = SealedBuffer::alloc(device, &mut queue, &spec, params.aad).await?;
    let source =
        &mut |range: Range<u64>, slot: &mut D::Slot| fill(slot, &body[range.start as usize..range.end as usize]);
    sealed.copy_body_in(device, &mut queue, &spec, source).await?;
    let (verdicts, plaintext) = (device.alloc(VERDICT_BYTES)?, alloc_padded(device, bytes)?);
    // Start from something that is not zero, so that zeros are the device's doing.
    let noise =
        &mut |range: Range<u64>, slot: &mut D::Slot| fill(slot, &vec![0xa5; (range.end - range.start) as usize]);
    queue.copy_in(device, &plaintext, 0, bytes, noise).await?;
    let verdict = VerdictSlot { buffer: &verdicts, capacity: 1, index: 0, token: random_word()? };
    record_open(device, &mut queue, &context, &spec, &sealed, &verdict, (&plaintext, 0))?;
    let word = queue.copy_out(device, &verdicts, 4..VERDICT_BYTES);
    let out = queue.copy_out(device, &plaintext, 0..bytes);
    let reads = queue.submit(device)?.wait(device).await?;
    let out = reads.bytes(out).unwrap_or_default().to_vec();
    if reads.bytes(word) == Some(&verdict.token.to_le_bytes()) {
        return Ok(Some(out));
    }
    if out.iter().any(|&byte| byte != 0) {
        return Err(Error::Backend("a failed open left something in its output".into()));
    }
    Ok(None)
}

/// Seals a body on the device.
pub async fn seal_body<D: Device>(device: &D, params: BodyParams<'_>, plaintext: &[u8]) -> Result<Vec<u8>> {
    let spec = params.spec(plaintext.len() as u64)?;
    let mut queue = Queue::new(device);
    let context = KeyContext::expand(device, &mut queue, params.key).await?;
    let input = upload(device, &mut queue, plaintext).await?;
    let sealed = SealedBuffer::alloc(device, &mut queue, &spec, params.aad).await?;
    record_seal(device, &mut queue, &context, &spec, (&input, 0), &sealed)?;
    let read = sealed.copy_body_out(device, &mut queue, 0..spec.sealed_bytes());
    let reads = queue.submit(device)?.wait(device).await?;
    Ok(reads.bytes(read).unwrap_or_default().to_vec())
}

/// Seals one tensor as a sealed file would hold it, by the CPU device: what opens it, with its root, and its chunks.
///
/// The input key must be used for nothing else: the salt is zeros.
pub async fn sealed_tensor(
    metadata: TensorMetadata,
    input_key: &[u8; 32],
    plaintext: &[u8],
) -> Result<(SealedBody, Vec<u8>)> {
    if plaintext.len() as u64 != metadata.size_bytes() {
        return Err(Error::Usage("the plaintext's length is not that of the tensor's shape and type"));
    }
    let derived = cobblestone::derive(input_key, &[0; cobblestone::SALT_BYTES], &metadata.encode());
    let params =
        BodyParams { key: &derived.key, nonce: *derived.base_nonce, aad: &[], chunk_bytes: CHUNK_BYTES as u32 };
    let sealed = seal_body(&CpuDevice::default(), params, plaintext).await?;
    let leaves = sealed.chunks(CHUNK_BYTES as usize + TAG_BYTES).map(tree::leaf).collect();
    Ok((SealedBody::new(metadata, derived, tree::root(leaves)), sealed))
}

async fn upload<D: Device>(device: &D, queue: &mut Queue<D>, bytes: &[u8]) -> Result<D::Buffer> {
    let buffer = alloc_padded(device, bytes.len() as u64)?;
    let source =
        &mut |range: Range<u64>, slot: &mut D::Slot| fill(slot, &bytes[range.start as usize..range.end as usize]);
    queue.copy_in(device, &buffer, 0, bytes.len() as u64, source).await?;
    Ok(buffer)
}

/// Copies plaintext to device memory by the path that sealed tensors take, for measuring that path. Nothing waits.
pub struct PlainUpload<D: Device> {
    queue: Queue<D>,
    buffers: Vec<D::Buffer>,
}

impl<D: Device> PlainUpload<D> {
    /// Starts an upload.
    pub fn new(device: &D) -> Self {
        PlainUpload { queue: Queue::new(device), buffers: Vec::new() }
    }

    /// Queues a tensor's bytes; `source` writes parts of them into slots.
    pub async fn queue(&mut self, device: &D, bytes: u64, source: &mut Source<'_, D>) -> Result<()> {
        let buffer = alloc_padded(device, bytes)?;
        self.queue.copy_in(device, &buffer, 0, bytes, source).await?;
        self.buffers.push(buffer);
        Ok(())
    }

    /// Waits for all of it.
    pub async fn settle(mut self, device: &D) -> Result<()> {
        self.queue.submit(device)?.wait(device).await.map(drop)
    }
}
