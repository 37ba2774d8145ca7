//! The kernels on the CPU: the processor's AES and carry-less multiply where it has them, constant-time code where not.

use aes::{
    Aes256,
    cipher::{BlockCipherEncrypt, InnerIvInit, KeyInit, StreamCipher},
};
use ctr::{Ctr32BE, CtrCore};
use ghash::{GHash, universal_hash::UniversalHash};
use subtle::{Choice, ConstantTimeEq};
use zeroize::Zeroizing;

use super::{digests, operations};
use crate::{
    kernel::{
        Kernel, Params, TAG_BYTES, VERDICT_BYTES,
        digest::{ROOT_HOLDS, RootCheck},
    },
    parallel,
};

/// A key context here: the key, H, the stamp. The round keys are expanded again at each launch, which takes less
/// time than one block of a chunk.
pub(super) const CONTEXT_BYTES: usize = 64;

/// Runs a kernel. None where a binding is shorter than the parameters say, or no kernel can do what they say.
pub(super) fn run(kernel: Kernel, read: &[&[u8]], write: &mut [u8], params: &Params) -> Option<()> {
    match (kernel, read) {
        (Kernel::ExpandKey, [key]) => expand_key(key.first_chunk()?, write.first_chunk_mut()?, params),
        (Kernel::Verify, [context, aad, body]) => {
            let mut verdict = verdict(write, params)?;
            let verified = verify(&Context::read(context)?, aad.get(..params.aad_bytes as usize)?, body, params)?;
            verdict.0 = verdict.0.wrapping_add(verified);
            verdict.store(write, params)?;
        }
        (Kernel::Finalize, [context]) => {
            let context = Context::read(context)?;
            let mut verdict = verdict(write, params)?;
            let holds = context.bears(params) & verdict.0.ct_eq(&params.expected) & !params.expected.ct_eq(&0);
            verdict.1 = if bool::from(holds) { params.token } else { 0 };
            verdict.store(write, params)?;
        }
        (Kernel::Open, [context, body, verdicts]) => {
            let verdict = verdict(verdicts, params)?;
            let out = write.get_mut(..Layout::of(params)?.plaintext)?;
            // The verdict is public: the host reads it.
            if verdict.1 == params.token && params.token != 0 {
                open(&Context::read(context)?, body, out, params)?;
            } else {
                out.fill(0);
            }
        }
        (Kernel::Seal, [context, aad, plaintext]) => {
            let context = Context::read(context)?;
            let out = write.get_mut(..Layout::of(params)?.sealed)?;
            if bool::from(context.bears(params)) {
                seal(&context, aad.get(..params.aad_bytes as usize)?, plaintext, out, params)?;
            } else {
                out.fill(0);
            }
        }
        (Kernel::HashLeaves, [body]) => digests::hash_leaves(body, write, params)?,
        (Kernel::HashNodes, [nodes]) => digests::hash_nodes(nodes, write, params)?,
        (Kernel::CompareRoot, [top]) => {
            let mut verdict = verdict(write, params)?;
            let holds = digests::root_holds(top, &RootCheck::read(params))?;
            verdict.0 = verdict.0.wrapping_add(u32::from(holds) * ROOT_HOLDS);
            verdict.store(write, params)?;
        }
        _ => return operations::run(kernel, read, write, params),
    }
    Some(())
}

struct Context {
    aes: Aes256,
    /// H, the hash subkey; it keys GHASH.
    h: Zeroizing<[u8; 16]>,
    stamp: [u8; 16],
}

impl Context {
    fn read(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; CONTEXT_BYTES] = bytes.first_chunk()?;
        let key = Zeroizing::new(<[u8; 32]>::try_from(&bytes[..32]).ok()?);
        Some(Context {
            aes: Aes256::new(&(*key).into()),
            h: Zeroizing::new(bytes[32..48].try_into().ok()?),
            stamp: bytes[48..].try_into().ok()?,
        })
    }

    /// Whether the context is the one meant and not an erased one, whose key is zeros and known to all.
    fn bears(&self, params: &Params) -> Choice {
        self.stamp.ct_eq(&stamp_bytes(params)) & !self.stamp.ct_eq(&[0; 16]) & !self.h.ct_eq(&[0; 16])
    }

    /// SP 800-38D, algorithm 4, step 5: the tag of one chunk.
    fn tag(&self, nonce: [u8; 12], aad: &[u8], ciphertext: &[u8]) -> [u8; TAG_BYTES] {
        let mut ghash = GHash::new(&(*self.h).into());
        ghash.update_padded(aad);
        ghash.update_padded(ciphertext);
        let mut lengths = [0; 16];
        lengths[..8].copy_from_slice(&(aad.len() as u64 * 8).to_be_bytes());
        lengths[8..].copy_from_slice(&(ciphertext.len() as u64 * 8).to_be_bytes());
        ghash.update(&[lengths.into()]);
        let mut mask = counter_block(nonce, 1).into();
        self.aes.encrypt_block(&mut mask);
        let mut tag: [u8; TAG_BYTES] = ghash.finalize().into();
        tag.iter_mut().zip(mask).for_each(|(t, m)| *t ^= m);
        tag
    }

    /// GCTR from inc32(J0) on.
    fn crypt(&self, nonce: [u8; 12], from: &[u8], to: &mut [u8]) {
        let core = CtrCore::inner_iv_init(self.aes.clone(), &counter_block(nonce, 2).into());
        let mut cipher = Ctr32BE::from_core(core);
        cipher.apply_keystream_b2b(from, to);
    }
}

fn expand_key(key: &[u8; 32], context: &mut [u8; CONTEXT_BYTES], params: &Params) {
    let mut h = [0; 16].into();
    Aes256::new(&(*key).into()).encrypt_block(&mut h);
    context[..32].copy_from_slice(key);
    context[32..48].copy_from_slice(&h);
    context[48..].copy_from_slice(&stamp_bytes(params));
}

/// The number of chunks whose tags hold.
fn verify(context: &Context, aad: &[u8], body: &[u8], params: &Params) -> Option<u32> {
    let body = body.get(..Layout::of(params)?.sealed)?;
    let holds = |i: usize, sealed: &[u8]| -> u32 {
        let (ciphertext, tag) = sealed.split_at(sealed.len() - TAG_BYTES);
        let expected = context.tag(params.chunk_nonce(i as u32), aad, ciphertext);
        u32::from(expected.ct_eq(tag).unwrap_u8())
    };
    Some(parallel::sum(body, params.chunk_bytes as usize + TAG_BYTES, holds))
}

fn open(context: &Context, body: &[u8], out: &mut [u8], params: &Params) -> Option<()> {
    let layout = Layout::of(params)?;
    let sealed = body.get(..layout.sealed)?;
    let work = |(i, (sealed, plain)): (usize, (&[u8], &mut [u8]))| {
        context.crypt(params.chunk_nonce(i as u32), &sealed[..plain.len()], plain);
    };
    let (full, last) = sealed.split_at(layout.last_sealed);
    let (full_out, last_out) = out.split_at_mut(layout.last_plain);
    work((params.chunks as usize - 1, (last, last_out)));
    if layout.chunk > 0 {
        parallel::zip(full, layout.chunk + TAG_BYTES, full_out, layout.chunk, work);
    }
    Some(())
}

fn seal(context: &Context, aad: &[u8], plaintext: &[u8], out: &mut [u8], params: &Params) -> Option<()> {
    let layout = Layout::of(params)?;
    let plaintext = plaintext.get(..layout.plaintext)?;
    let work = |(i, (plain, sealed)): (usize, (&[u8], &mut [u8]))| {
        let nonce = params.chunk_nonce(i as u32);
        let (ciphertext, tag) = sealed.split_at_mut(plain.len());
        context.crypt(nonce, plain, ciphertext);
        tag.copy_from_slice(&context.tag(nonce, aad, ciphertext));
    };
    let (full, last) = plaintext.split_at(layout.last_plain);
    let (full_out, last_out) = out.split_at_mut(layout.last_sealed);
    work((params.chunks as usize - 1, (last, last_out)));
    if layout.chunk > 0 {
        parallel::zip(full, layout.chunk, full_out, layout.chunk + TAG_BYTES, work);
    }
    Some(())
}

/// Lengths that follow from the parameters.
pub(super) struct Layout {
    pub(super) chunk: usize,
    plaintext: usize,
    pub(super) sealed: usize,
    /// Where the last chunk starts.
    last_plain: usize,
    last_sealed: usize,
}

impl Layout {
    pub(super) fn of(params: &Params) -> Option<Self> {
        let (chunk, last) = (params.chunk_bytes as usize, params.last_bytes as usize);
        let full = (params.chunks as usize).checked_sub(1)?;
        if last > chunk {
            return None;
        }
        let (last_plain, last_sealed) = (full.checked_mul(chunk)?, full.checked_mul(chunk + TAG_BYTES)?);
        let (plaintext, sealed) = (last_plain.checked_add(last)?, last_sealed.checked_add(last + TAG_BYTES)?);
        Some(Layout { chunk, plaintext, sealed, last_plain, last_sealed })
    }
}

/// Counter and verdict word.
struct Verdict(u32, u32);

fn verdict(verdicts: &[u8], params: &Params) -> Option<Verdict> {
    let at = verdict_at(params);
    let word = |at: usize| Some(u32::from_le_bytes(*verdicts.get(at..)?.first_chunk()?));
    Some(Verdict(word(at)?, word(at + 4)?))
}

impl Verdict {
    fn store(&self, verdicts: &mut [u8], params: &Params) -> Option<()> {
        let out = verdicts.get_mut(verdict_at(params)..)?.first_chunk_mut::<{ VERDICT_BYTES as usize }>()?;
        out[..4].copy_from_slice(&self.0.to_le_bytes());
        out[4..].copy_from_slice(&self.1.to_le_bytes());
        Some(())
    }
}

fn verdict_at(params: &Params) -> usize {
    params.verdict as usize * VERDICT_BYTES as usize
}

fn stamp_bytes(params: &Params) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes.chunks_exact_mut(4).zip(params.stamp).for_each(|(out, word)| out.copy_from_slice(&word.to_le_bytes()));
    bytes
}

/// J0 with its counter: nonce ‖ counter (SP 800-38D section 7.1, step 2, for 96-bit nonces).
fn counter_block(nonce: [u8; 12], counter: u32) -> [u8; 16] {
    let mut block = [0; 16];
    block[..12].copy_from_slice(&nonce);
    block[12..].copy_from_slice(&counter.to_be_bytes());
    block
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A context erased in part: with H zero every tag would be the mask alone, whatever the ciphertext.
    #[test]
    fn a_context_whose_h_is_zero_is_not_used() {
        let params = Params { stamp: [1, 2, 3, 4], ..Params::default() };
        let mut context = [0; CONTEXT_BYTES];
        expand_key(&[5; 32], &mut context, &params);
        assert!(bool::from(Context::read(&context).expect("whole").bears(&params)));
        context[32..48].fill(0);
        assert!(!bool::from(Context::read(&context).expect("whole").bears(&params)));
    }
}
