//! One body on a device: its buffers, and the launches that open or seal it.

use core::ops::Range;

use super::{
    queue::{Queue, Source},
    tree::Tree,
};
use crate::{
    Error, Result,
    channel::chunk::ChunkRange,
    device::{Binding, Device, Launch, ReadId, Slot, SlotWriter},
    kernel::{CHUNK_BYTES, Kernel, Params, TAG_BYTES, VERDICT_BYTES, digest::ROOT_HOLDS},
    sealed::tree::Node,
};

const TAG: u64 = TAG_BYTES as u64;
/// Launches are split at multiples of this many chunks: 16 × (16 n + 16) bytes are a multiple of 256, the
/// strictest alignment of bindings.
const SPLIT_CHUNKS: u64 = 16;

/// A key on the device.
pub(super) struct KeyContext<D: Device> {
    buffer: D::Buffer,
    bytes: u64,
    stamp: [u32; 4],
}

impl<D: Device> Clone for KeyContext<D> {
    fn clone(&self) -> Self {
        KeyContext { buffer: self.buffer.clone(), bytes: self.bytes, stamp: self.stamp }
    }
}

impl<D: Device> KeyContext<D> {
    /// Sends a key over and expands it. The copy on the device that the expansion reads, and the staging slot, are
    /// erased.
    pub(super) async fn expand(device: &D, queue: &mut Queue<D>, key: &[u8; 32]) -> Result<Self> {
        let bytes = device.info().key_context_bytes;
        let (buffer, raw) = (device.alloc(bytes)?, device.alloc(key.len() as u64)?);
        let write = &mut |_: Range<u64>, slot: &mut D::Slot| {
            slot.erase_after_use();
            fill(slot, key)
        };
        queue.copy_in(device, &raw, 0, key.len() as u64, write).await?;
        let mut stamp = [0; 4];
        for word in &mut stamp {
            *word = random_word()?;
        }
        queue.launch(
            device,
            Launch {
                kernel: Kernel::ExpandKey,
                bindings: &[bind(&raw, 0..key.len() as u64), bind(&buffer, 0..bytes)],
                params: Params { stamp, ..Params::default() },
            },
        );
        queue.clear(device, &raw, 0..key.len() as u64);
        Ok(KeyContext { buffer, bytes, stamp })
    }

    fn binding(&self) -> Binding<'_, D::Buffer> {
        bind(&self.buffer, 0..self.bytes)
    }
}

/// The shape of a body.
#[derive(Clone, Copy)]
pub(super) struct BodySpec {
    nonce: [u8; 12],
    aad_bytes: u32,
    first_chunk: u32,
    chunks: u64,
    plaintext_bytes: u64,
    chunk_bytes: u32,
}

impl BodySpec {
    /// All of a body. `chunk_bytes` is a multiple of 16.
    pub(super) fn whole(nonce: [u8; 12], aad: &[u8], plaintext_bytes: u64, chunk_bytes: u32) -> Self {
        let chunks = plaintext_bytes / u64::from(chunk_bytes) + 1;
        BodySpec { nonce, aad_bytes: aad.len() as u32, first_chunk: 0, chunks, plaintext_bytes, chunk_bytes }
    }

    /// A record's.
    pub(super) fn record(nonce: &[u8; 12], aad: &[u8; 32], plaintext_bytes: u64) -> Self {
        BodySpec::whole(*nonce, aad, plaintext_bytes, CHUNK_BYTES as u32)
    }

    /// Chunks of a sealed file's.
    pub(super) fn sealed(nonce: &[u8; 12], chunks: &ChunkRange) -> Self {
        let plaintext = chunks.plaintext();
        BodySpec {
            nonce: *nonce,
            aad_bytes: 0,
            first_chunk: chunks.first,
            chunks: chunks.count.into(),
            plaintext_bytes: plaintext.end - plaintext.start,
            chunk_bytes: CHUNK_BYTES as u32,
        }
    }

    pub(super) fn chunks(&self) -> u64 {
        self.chunks
    }

    pub(super) fn plaintext_bytes(&self) -> u64 {
        self.plaintext_bytes
    }

    pub(super) fn sealed_bytes(&self) -> u64 {
        self.plaintext_bytes + self.chunks * TAG
    }

    /// The launches a binding limit makes of it.
    fn splits(&self, max_binding_bytes: u64) -> Result<Vec<Split>> {
        let (chunk, chunks) = (u64::from(self.chunk_bytes), self.chunks());
        let step = max_binding_bytes / (chunk + TAG) / SPLIT_CHUNKS * SPLIT_CHUNKS;
        if step == 0 && chunks * (chunk + TAG) > max_binding_bytes {
            return Err(Error::Backend("the device's bindings are too small for 16 chunks".into()));
        }
        let step = if step == 0 { chunks } else { step.min(chunks) };
        let split = |first: u64| {
            let end = chunks.min(first + step);
            let plaintext = first * chunk..self.plaintext_bytes.min(end * chunk);
            let sealed = first * (chunk + TAG)..self.sealed_bytes().min(end * (chunk + TAG));
            let last_bytes = (plaintext.end - (end - 1) * chunk) as u32;
            let params = Params {
                first_chunk: self.first_chunk + first as u32,
                chunks: (end - first) as u32,
                chunk_bytes: self.chunk_bytes,
                last_bytes,
                aad_bytes: self.aad_bytes,
                ..Params::default()
            };
            Split { plaintext, sealed, params: params.with_nonce(self.nonce) }
        };
        Ok((0..chunks).step_by(step as usize).map(split).collect())
    }
}

/// What one launch takes of a body.
pub(super) struct Split {
    plaintext: Range<u64>,
    pub(super) sealed: Range<u64>,
    pub(super) params: Params,
}

/// AAD and sealed body in memory that only the device reaches. Two buffers, because a launch that writes the body
/// must not read from the same one.
pub(super) struct SealedBuffer<D: Device> {
    aad: D::Buffer,
    aad_bytes: u64,
    body: D::Buffer,
    /// The root to compare before the verdict, where there is one: over these very bytes.
    tree: Option<Tree<D>>,
}

impl<D: Device> SealedBuffer<D> {
    pub(super) async fn alloc(device: &D, queue: &mut Queue<D>, spec: &BodySpec, of_aad: &[u8]) -> Result<Self> {
        let aad_bytes = of_aad.len() as u64;
        let (aad, body) = (alloc_padded(device, aad_bytes)?, device.alloc(spec.sealed_bytes().next_multiple_of(16))?);
        let source =
            &mut |range: Range<u64>, slot: &mut D::Slot| fill(slot, &of_aad[range.start as usize..range.end as usize]);
        queue.copy_in(device, &aad, 0, aad_bytes, source).await?;
        Ok(SealedBuffer { aad, aad_bytes, body, tree: None })
    }

    /// Demands a root of a body whose spec is all of it.
    pub(super) fn demand_root(&mut self, device: &D, spec: &BodySpec, root: Node) -> Result<()> {
        self.tree = Some(Tree::alloc(device, root, spec.chunks)?);
        Ok(())
    }

    pub(super) async fn copy_body_in(
        &self,
        device: &D,
        queue: &mut Queue<D>,
        spec: &BodySpec,
        source: &mut Source<'_, D>,
    ) -> Result<()> {
        queue.copy_in(device, &self.body, 0, spec.sealed_bytes(), source).await
    }

    /// Copies a part of the body in; it fits the body, and starts and, unless it is the last, ends at a chunk.
    pub(super) async fn copy_part_in(
        &self,
        device: &D,
        queue: &mut Queue<D>,
        part: Range<u64>,
        source: &mut Source<'_, D>,
    ) -> Result<()> {
        queue.copy_in(device, &self.body, part.start, part.end - part.start, source).await
    }

    pub(super) fn copy_body_out(&self, device: &D, queue: &mut Queue<D>, range: Range<u64>) -> ReadId {
        queue.copy_out(device, &self.body, range)
    }

    /// No binding may be empty, so an empty AAD binds memory too; the parameters say how long it is.
    fn aad(&self) -> Binding<'_, D::Buffer> {
        bind(&self.aad, 0..self.aad_bytes.max(1))
    }

    fn body(&self, range: &Range<u64>) -> Binding<'_, D::Buffer> {
        bind(&self.body, range.clone())
    }
}

/// One verdict among those of a batch.
pub(super) struct VerdictSlot<'a, D: Device> {
    pub(super) buffer: &'a D::Buffer,
    pub(super) capacity: u32,
    pub(super) index: u32,
    pub(super) token: u32,
}

/// Records a body's opening: all of it is verified and its root compared, where one is demanded, then it is judged, then decrypted.
pub(super) fn record_open<D: Device>(
    device: &D,
    queue: &mut Queue<D>,
    context: &KeyContext<D>,
    spec: &BodySpec,
    sealed: &SealedBuffer<D>,
    verdict: &VerdictSlot<'_, D>,
    plaintext: (&D::Buffer, u64),
) -> Result<()> {
    let splits = spec.splits(device.info().max_binding_bytes)?;
    let verdicts = || bind(verdict.buffer, 0..u64::from(verdict.capacity) * VERDICT_BYTES);
    let params = |params: Params| Params {
        verdict: verdict.index,
        token: verdict.token,
        stamp: context.stamp,
        expected: spec.chunks as u32 + u32::from(sealed.tree.is_some()) * ROOT_HOLDS,
        ..params
    };
    for split in &splits {
        let bindings = &[context.binding(), sealed.aad(), sealed.body(&split.sealed), verdicts()];
        queue.launch(device, Launch { kernel: Kernel::Verify, bindings, params: params(split.params) });
    }
    if let Some(tree) = &sealed.tree {
        tree.record(device, queue, &splits, &sealed.body, verdict);
    }
    let bindings = &[context.binding(), verdicts()];
    queue.launch(device, Launch { kernel: Kernel::Finalize, bindings, params: params(Params::default()) });
    for split in splits.iter().filter(|split| !split.plaintext.is_empty()) {
        let (buffer, offset) = plaintext;
        let out = bind(buffer, offset + split.plaintext.start..offset + split.plaintext.end);
        let bindings = &[context.binding(), sealed.body(&split.sealed), verdicts(), out];
        queue.launch(device, Launch { kernel: Kernel::Open, bindings, params: params(split.params) });
    }
    Ok(())
}

/// Records a body's sealing.
pub(super) fn record_seal<D: Device>(
    device: &D,
    queue: &mut Queue<D>,
    context: &KeyContext<D>,
    spec: &BodySpec,
    plaintext: (&D::Buffer, u64),
    sealed: &SealedBuffer<D>,
) -> Result<()> {
    let (buffer, offset) = plaintext;
    for split in spec.splits(device.info().max_binding_bytes)? {
        // No binding may be empty, and behind an empty last chunk the buffer may end.
        let input = match &split.plaintext {
            range if range.is_empty() => 0..1,
            range => offset + range.start..offset + range.end,
        };
        let bindings = &[context.binding(), sealed.aad(), bind(buffer, input), sealed.body(&split.sealed)];
        queue.launch(
            device,
            Launch { kernel: Kernel::Seal, bindings, params: Params { stamp: context.stamp, ..split.params } },
        );
    }
    Ok(())
}

/// Memory for a plaintext or an AAD; never empty, and whole words.
pub(super) fn alloc_padded<D: Device>(device: &D, bytes: u64) -> Result<D::Buffer> {
    device.alloc(bytes.max(1).next_multiple_of(16))
}

/// Writes bytes to a slot's start.
pub(super) fn fill(slot: &mut impl Slot, bytes: &[u8]) -> Result<()> {
    slot.writers(&[bytes.len() as u64])?.iter_mut().try_for_each(|writer| writer.write(0, bytes))
}

/// A random word that is not zero.
pub(super) fn random_word() -> Result<u32> {
    loop {
        let mut bytes = [0; 4];
        getrandom::fill(&mut bytes).map_err(|_| Error::Random)?;
        match u32::from_le_bytes(bytes) {
            0 => {}
            word => return Ok(word),
        }
    }
}

pub(super) fn bind<B>(buffer: &B, range: Range<u64>) -> Binding<'_, B> {
    Binding { buffer, range }
}
