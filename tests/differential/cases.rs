//! Random cases, with aws-lc-rs's answers.

use core::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use pqc_gpu_driver::{
    conformance::noise,
    kernel::{Params, TAG_BYTES},
};

/// What was done to the sealed body, or to what it is opened with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Alteration {
    None,
    /// One bit of ciphertext or a tag.
    Body,
    /// One bit of the last tag.
    LastTag,
    /// One bit of the AAD.
    Aad,
    /// One bit of the nonce.
    Nonce,
    /// One bit of the key.
    Key,
    /// The first chunk is number 1.
    FirstChunk,
    /// One more chunk is expected than there is.
    Expected,
    /// The AAD ends one byte earlier.
    AadLength,
    /// The last chunk is gone.
    Truncated,
    /// The first two chunks change places.
    Swapped,
}

/// A body and its answers.
pub(crate) struct Case {
    pub(crate) key: [u8; 32],
    pub(crate) nonce: [u8; 12],
    pub(crate) aad: Vec<u8>,
    pub(crate) chunk_bytes: usize,
    pub(crate) first_chunk: u32,
    pub(crate) plaintext: Vec<u8>,
    pub(crate) sealed: Vec<u8>,
    pub(crate) alteration: Alteration,
    /// What is opened: key, nonce, AAD, number of the first chunk, body, expected chunks.
    pub(crate) opening: Opening,
}

pub(crate) struct Opening {
    pub(crate) key: [u8; 32],
    pub(crate) nonce: [u8; 12],
    pub(crate) aad: Vec<u8>,
    pub(crate) first_chunk: u32,
    pub(crate) body: Vec<u8>,
    pub(crate) expected: u32,
}

impl Case {
    pub(crate) fn new(seed: u64, number: u64) -> Self {
        let mut random = Random(seed.wrapping_add(number.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
        let [key, nonce] = [random.bytes(32), random.bytes(12)];
        let key = *key.first_chunk().unwrap();
        let nonce = *nonce.first_chunk().unwrap();
        let aad_bytes = random.below(65) as usize;
        let aad = random.bytes(aad_bytes);
        let (length, chunk_bytes) = random.shape();
        let plaintext = random.bytes(length);
        // Chunk numbers wrap nowhere below 2^32.
        let chunks = (length / chunk_bytes + 1) as u32;
        let first_chunk = [0, 0, random.below(1 << 32) as u32, u32::MAX - chunks][random.below(4) as usize];
        let first_chunk = first_chunk.min(u32::MAX - chunks);
        let sealed = seal(&key, &nonce, &aad, first_chunk, &plaintext, chunk_bytes);
        let opening = Opening { key, nonce, aad: aad.clone(), first_chunk, body: sealed.clone(), expected: chunks };
        let alteration = Alteration::None;
        let case = Case { key, nonce, aad, chunk_bytes, first_chunk, plaintext, sealed, alteration, opening };
        case.altered(&mut random)
    }

    fn altered(mut self, random: &mut Random) -> Self {
        use Alteration::*;
        if random.below(3) > 0 {
            return self;
        }
        let all = [Body, LastTag, Aad, Nonce, Key, FirstChunk, Expected, AadLength, Truncated, Swapped];
        let mut alteration = all[random.below(all.len() as u64) as usize];
        let several = self.opening.expected > 1;
        let full = self.plaintext.len() / self.chunk_bytes;
        let impossible = match alteration {
            Aad | AadLength => self.aad.is_empty(),
            // A full chunk whose place another one takes; the two differ.
            Swapped => full < 2,
            Truncated => !several,
            _ => false,
        };
        if impossible {
            alteration = Body;
        }
        let stride = self.chunk_bytes + TAG_BYTES;
        let Opening { key, nonce, aad, first_chunk, body, expected } = &mut self.opening;
        match alteration {
            None => {}
            Body => random.flip(body),
            LastTag => {
                let tag = body.len() - TAG_BYTES;
                random.flip(&mut body[tag..]);
            }
            Aad => random.flip(aad),
            Nonce => random.flip(nonce),
            Key => random.flip(key),
            FirstChunk => *first_chunk += 1,
            Expected => *expected += 1,
            AadLength => drop(aad.pop()),
            Truncated => body.truncate((*expected as usize - 1) * stride),
            Swapped => {
                let (first, rest) = body.split_at_mut(stride);
                first.swap_with_slice(&mut rest[..stride]);
            }
        }
        Case { alteration, ..self }
    }

    /// Plaintext bytes of what is opened.
    pub(crate) fn opened_bytes(&self) -> usize {
        self.opening.body.len() - self.opened_chunks() * TAG_BYTES
    }

    fn opened_chunks(&self) -> usize {
        let gone = usize::from(self.alteration == Alteration::Truncated);
        self.plaintext.len() / self.chunk_bytes + 1 - gone
    }

    /// For sealing; the stamp is to be filled in.
    pub(crate) fn params(&self) -> Params {
        let chunks = self.plaintext.len() / self.chunk_bytes + 1;
        Params {
            first_chunk: self.first_chunk,
            chunks: chunks as u32,
            chunk_bytes: self.chunk_bytes as u32,
            last_bytes: (self.plaintext.len() - (chunks - 1) * self.chunk_bytes) as u32,
            aad_bytes: self.aad.len() as u32,
            ..Params::default()
        }
        .with_nonce(self.nonce)
    }

    /// For opening.
    pub(crate) fn opening_params(&self) -> Params {
        let chunks = self.opened_chunks();
        Params {
            first_chunk: self.opening.first_chunk,
            chunks: chunks as u32,
            last_bytes: (self.opened_bytes() - (chunks - 1) * self.chunk_bytes) as u32,
            aad_bytes: self.opening.aad.len() as u32,
            expected: self.opening.expected,
            ..self.params()
        }
        .with_nonce(self.opening.nonce)
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (bytes, aad) = (self.plaintext.len(), self.aad.len());
        let Case { chunk_bytes, first_chunk, alteration, .. } = self;
        write!(f, "{bytes} bytes in chunks of {chunk_bytes} from {first_chunk}, {aad} of AAD, altered: {alteration:?}")
    }
}

fn seal(key: &[u8; 32], nonce: &[u8; 12], aad: &[u8], first: u32, plaintext: &[u8], chunk_bytes: usize) -> Vec<u8> {
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).unwrap());
    let mut sealed = Vec::new();
    for i in 0..=plaintext.len() / chunk_bytes {
        let mut nonce = *nonce;
        nonce[8..].iter_mut().zip((first + i as u32).to_be_bytes()).for_each(|(n, c)| *n ^= c);
        let end = plaintext.len().min((i + 1) * chunk_bytes);
        let mut chunk = plaintext[i * chunk_bytes..end].to_vec();
        key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(aad), &mut chunk).unwrap();
        sealed.extend(chunk);
    }
    sealed
}

/// A stream of numbers.
struct Random(u64);

impl Random {
    fn bytes(&mut self, length: usize) -> Vec<u8> {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        noise(self.0, length)
    }

    fn below(&mut self, end: u64) -> u64 {
        u64::from_le_bytes(*self.bytes(8).first_chunk().unwrap()) % end
    }

    fn flip(&mut self, bytes: &mut [u8]) {
        let bit = self.below(8 * bytes.len() as u64) as usize;
        bytes[bit / 8] ^= 1 << (bit % 8);
    }

    /// A length and a chunk size: mostly short, often at an edge of a block or a chunk, at times 70 KB.
    fn shape(&mut self) -> (usize, usize) {
        let chunk = match self.below(10) {
            0..4 => 16_384,
            4 => 16,
            5 => 16 * (1 + self.below(4)),
            6..9 => 16 * (1 + self.below(128)),
            _ => 65_536,
        };
        let length = match self.below(20) {
            0..8 => self.below(130),
            // Within 17 bytes of a multiple of the chunk, or of 32 blocks in 32 lanes.
            8..12 => (chunk * (1 + self.below(3)) + self.below(35)).saturating_sub(17),
            12 => (16 * 32 * self.below(33) + self.below(35)).saturating_sub(17),
            13..19 => self.below(4000),
            _ => self.below(70_000),
        };
        // No more than some hundred chunks, most of the time.
        let length = if length / chunk > 300 { length % (300 * chunk) } else { length };
        (length as usize, chunk as usize)
    }
}
