//! The kernels every device runs: one table of names, bindings and parameters.
//!
//! A body is chunks of `chunk_bytes` plaintext bytes, each followed by its 16-byte tag, the last one shorter,
//! possibly empty. Key, nonce, AAD and lengths are parameters, so that session records, sealed files and published
//! test vectors run on the same kernels. Opening takes three launches, and no plaintext is written before the third:
//!
//! 1. [`Kernel::Verify`] checks every chunk's tag and counts those that hold;
//! 2. [`Kernel::Finalize`] writes the launch's random token as verdict only if that count is the authenticated
//!    chunk count, at least 1, H is not zero and the key context bears its stamp;
//! 3. [`Kernel::Open`] decrypts where the verdict is the token, and writes zeros elsewhere.
//!
//! Where a body has a root over its chunks (docs/sealed-format.md, "Roots"), three more come before [`Kernel::Finalize`], over the same
//! copy of the ciphertext: [`Kernel::HashLeaves`], [`Kernel::HashNodes`] until one node is left, and [`Kernel::CompareRoot`], which
//! adds [`digest::ROOT_HOLDS`], 2³¹, to the counter where the root is the signed one. Finalize then expects that and the number of chunks:
//! all of them and the root, as no number of chunks can stand in for the root.
//!
//! Every kernel is constant-time: no address, branch or loop bound depends on a key, plaintext or hash state.
//!
//! After the open, tensors are handled where they lie: cast, dequantized, copied by strides. The kernels that do so read the
//! same 16 words of parameters as [`Operation`] says.

#[cfg(any(feature = "cuda", feature = "rocm", feature = "conformance"))]
pub mod cuda;
pub mod digest;
mod operation;
mod strided;
#[cfg(any(test, feature = "conformance"))]
pub mod twin;
#[cfg(any(feature = "wgpu", feature = "web"))]
pub mod wgsl;

pub use operation::{BlockFormat, Element, Operation};
pub use strided::StridedCopy;

/// Plaintext bytes of a chunk in records and sealed files.
pub const CHUNK_BYTES: u64 = 16 << 10;
/// Length of an AES-GCM tag.
pub const TAG_BYTES: usize = 16;

/// A kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kernel {
    /// AES-256 key expansion (FIPS 197 section 5.2) and the powers of H: bindings key (32 bytes), context.
    /// The context then bears [`Params::stamp`].
    ExpandKey,
    /// Checks tags (SP 800-38D section 7.2, steps 4 to 6, and the full 128-bit compare): bindings context, AAD, body,
    /// verdicts. Adds the number of chunks that hold to the verdict's counter.
    Verify,
    /// Judges a body: bindings context, verdicts.
    Finalize,
    /// Decrypts a judged body (GCTR, SP 800-38D section 6.5): bindings context, body, verdicts, plaintext.
    Open,
    /// Seals (SP 800-38D section 7.1): bindings context, AAD, plaintext, body. Writes zeros where the context
    /// does not bear its stamp.
    Seal,
    /// The leaves of a tree over chunks (docs/sealed-format.md, "Roots"): bindings body, nodes (32 bytes a chunk).
    HashLeaves,
    /// Seven of its levels: bindings nodes, the nodes above, one for each [`digest::GROUP_NODES`] or what is left. [`Params::chunks`] says how
    /// many nodes are bound.
    HashNodes,
    /// Adds [`digest::ROOT_HOLDS`] to a body's counter where its root is the one that [`digest::RootCheck`] says: bindings top node, verdicts.
    CompareRoot,
    /// Converts elements ([`Operation::CastElements`]): bindings input, output.
    CastElements,
    /// Blocks of quantized elements to binary32 ([`Operation::DequantizeBlocks`]): bindings input, output.
    DequantizeBlocks,
    /// Bytes with a scale, and perhaps a zero point, for each channel to binary32 ([`Operation::DequantizeChannels`]): bindings
    /// input, scales (binary32), zero points (bytes as the input's), output.
    DequantizeChannels,
    /// Elements in another order, or some of them ([`Operation::StridedCopy`]): bindings input, output.
    StridedCopy,
}

/// What a kernel does with a binding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Reads it.
    Read,
    /// Writes it, and may read what it wrote.
    Write,
}

impl Kernel {
    /// Every kernel.
    pub const ALL: &'static [Kernel] = &[
        Kernel::ExpandKey,
        Kernel::Verify,
        Kernel::Finalize,
        Kernel::Open,
        Kernel::Seal,
        Kernel::HashLeaves,
        Kernel::HashNodes,
        Kernel::CompareRoot,
        Kernel::CastElements,
        Kernel::DequantizeBlocks,
        Kernel::DequantizeChannels,
        Kernel::StridedCopy,
    ];

    /// The name its sources bear on every device.
    pub const fn name(self) -> &'static str {
        match self {
            Kernel::ExpandKey => "expand_key",
            Kernel::Verify => "verify",
            Kernel::Finalize => "finalize",
            Kernel::Open => "open",
            Kernel::Seal => "seal",
            Kernel::HashLeaves => "hash_leaves",
            Kernel::HashNodes => "hash_nodes",
            Kernel::CompareRoot => "compare_root",
            Kernel::CastElements => "cast_elements",
            Kernel::DequantizeBlocks => "dequantize_blocks",
            Kernel::DequantizeChannels => "dequantize_channels",
            Kernel::StridedCopy => "strided_copy",
        }
    }

    /// Its bindings, in order.
    pub const fn bindings(self) -> &'static [Access] {
        use Access::{Read, Write};
        match self {
            Kernel::ExpandKey => &[Read, Write],
            Kernel::Verify => &[Read, Read, Read, Write],
            Kernel::Finalize => &[Read, Write],
            Kernel::Open => &[Read, Read, Read, Write],
            Kernel::Seal | Kernel::DequantizeChannels => &[Read, Read, Read, Write],
            Kernel::HashLeaves | Kernel::HashNodes | Kernel::CompareRoot => &[Read, Write],
            Kernel::CastElements | Kernel::DequantizeBlocks | Kernel::StridedCopy => &[Read, Write],
        }
    }
}

/// The parameters of a launch: 16 words of 32 bits, the same for all kernels that open and seal. The tensor kernels give the
/// words meanings of their own, which [`Operation::params`] writes and [`Operation::read`] reads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Params {
    /// The body's nonce, 12 bytes as they stand, each word little-endian. Chunk i XORs i, big-endian, into the last word.
    pub nonce: [u32; 3],
    /// The number, in its body, of the first chunk bound.
    pub first_chunk: u32,
    /// How many chunks are bound.
    pub chunks: u32,
    /// Plaintext bytes of a full chunk; 16384 in records and sealed files.
    pub chunk_bytes: u32,
    /// Plaintext bytes of the last chunk bound.
    pub last_bytes: u32,
    /// Length of the AAD.
    pub aad_bytes: u32,
    /// Which verdict of the bound verdicts is meant.
    pub verdict: u32,
    /// Finalize: the body's chunk count, and [`digest::ROOT_HOLDS`] more where its root is compared.
    pub expected: u32,
    /// Finalize writes it and Open compares with it. Random, never zero.
    pub token: u32,
    /// What the key context must bear. Random, never zero.
    pub stamp: [u32; 4],
    /// Zero.
    pub reserved: u32,
}

impl Params {
    /// Stores a nonce.
    pub fn with_nonce(self, nonce: [u8; 12]) -> Self {
        let word = |i: usize| u32::from_le_bytes([nonce[4 * i], nonce[4 * i + 1], nonce[4 * i + 2], nonce[4 * i + 3]]);
        Params { nonce: [word(0), word(1), word(2)], ..self }
    }

    /// The words in their order in device memory.
    pub fn words(&self) -> [u32; 16] {
        let Params { nonce: [n0, n1, n2], first_chunk, chunks, chunk_bytes, last_bytes, aad_bytes, .. } = *self;
        let Params { verdict, expected, token, stamp: [s0, s1, s2, s3], reserved, .. } = *self;
        let body = [n0, n1, n2, first_chunk, chunks, chunk_bytes, last_bytes, aad_bytes];
        let launch = [verdict, expected, token, s0, s1, s2, s3, reserved];
        core::array::from_fn(|i| if i < 8 { body[i] } else { launch[i - 8] })
    }

    /// The parameters that these words are: the inverse of [`Params::words`].
    pub fn from_words(words: [u32; 16]) -> Self {
        let [n0, n1, n2, first_chunk, chunks, chunk_bytes, last_bytes, aad_bytes, launch @ ..] = words;
        let [verdict, expected, token, stamp @ .., reserved] = launch;
        let nonce = [n0, n1, n2];
        Params {
            nonce,
            first_chunk,
            chunks,
            chunk_bytes,
            last_bytes,
            aad_bytes,
            verdict,
            expected,
            token,
            stamp,
            reserved,
        }
    }

    /// The nonce's bytes.
    pub fn nonce_bytes(&self) -> [u8; 12] {
        let mut bytes = [0; 12];
        bytes.chunks_exact_mut(4).zip(self.nonce).for_each(|(out, word)| out.copy_from_slice(&word.to_le_bytes()));
        bytes
    }

    /// The nonce of the `bound`-th chunk of those bound.
    pub fn chunk_nonce(&self, bound: u32) -> [u8; 12] {
        let mut nonce = self.nonce_bytes();
        let number = self.first_chunk.wrapping_add(bound).to_be_bytes();
        nonce[8..].iter_mut().zip(number).for_each(|(n, c)| *n ^= c);
        nonce
    }
}

/// A verdict in device memory: a counter of verified chunks, and of the root, then the verdict word; both 32 bits, little-endian,
/// zero at the start. Zero is failure.
pub const VERDICT_BYTES: u64 = 8;
