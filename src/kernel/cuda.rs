//! The kernels in CUDA's and HIP's common C++: which files make up one, and how it is launched.
//!
//! A kernel is the text of the shared files that it names and of its own, joined. Its arguments are the parameters by value, then pointers
//! in the order of the kernel table; `seal` takes context, plaintext and body, `tag` context, AAD and body. Buffers are whole
//! blocks of 16 bytes, but for plaintext, of which nothing behind its last byte is touched. The tensor kernels read the parameters as
//! [`super::Operation`] says, and write whole words of 4 bytes.
//!
//! Where NVRTC is at hand, a kernel is compiled from [`Text::source`] for the GPU at hand; where there is only NVIDIA's driver, which
//! compiles PTX, from [`Text::ptx`].

/// A kernel of the CUDA and HIP devices. Its entry point bears its file's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Text {
    /// Of [`super::Kernel::ExpandKey`].
    ExpandKey,
    /// Of [`super::Kernel::Verify`].
    Verify,
    /// Of [`super::Kernel::Finalize`].
    Finalize,
    /// Of [`super::Kernel::Open`].
    Open,
    /// The first half of [`super::Kernel::Seal`]: ciphertext.
    Seal,
    /// The second half of [`super::Kernel::Seal`]: tags over the ciphertext that the first wrote.
    Tag,
    /// Of [`super::Kernel::HashLeaves`].
    HashLeaves,
    /// Of [`super::Kernel::HashNodes`].
    HashNodes,
    /// Of [`super::Kernel::CompareRoot`].
    CompareRoot,
    /// Of [`super::Kernel::CastElements`].
    CastElements,
    /// Of [`super::Kernel::DequantizeBlocks`].
    DequantizeBlocks,
    /// Of [`super::Kernel::DequantizeChannels`].
    DequantizeChannels,
    /// Of [`super::Kernel::StridedCopy`].
    StridedCopy,
}

macro_rules! files {
    ($($name:literal),+) => { [$(include_str!(concat!("../../shaders/cuda/", $name))),+].concat() };
}

macro_rules! ptx {
    ($name:literal) => {
        include_str!(concat!("../../shaders/cuda/ptx/", $name, ".ptx"))
    };
}

impl Text {
    /// Every kernel.
    pub const ALL: &'static [Text] = &[
        Text::ExpandKey,
        Text::Verify,
        Text::Finalize,
        Text::Open,
        Text::Seal,
        Text::Tag,
        Text::HashLeaves,
        Text::HashNodes,
        Text::CompareRoot,
        Text::CastElements,
        Text::DequantizeBlocks,
        Text::DequantizeChannels,
        Text::StridedCopy,
    ];

    /// The name of its file and entry point.
    pub const fn name(self) -> &'static str {
        match self {
            Text::ExpandKey => "expand_key",
            Text::Verify => "verify",
            Text::Finalize => "finalize",
            Text::Open => "open",
            Text::Seal => "seal",
            Text::Tag => "tag",
            Text::HashLeaves => "hash_leaves",
            Text::HashNodes => "hash_nodes",
            Text::CompareRoot => "compare_root",
            Text::CastElements => "cast_elements",
            Text::DequantizeBlocks => "dequantize_blocks",
            Text::DequantizeChannels => "dequantize_channels",
            Text::StridedCopy => "strided_copy",
        }
    }

    /// The whole text.
    pub fn source(self) -> String {
        let body = || files!("shared/params.h", "shared/context.h");
        let planes = || files!("shared/sub_bytes.h", "shared/aes_planes.h");
        let bitslice = || {
            files!(
                "shared/sub_bytes.h",
                "shared/sub_bytes_luts.h",
                "shared/masks.h",
                "shared/aes_bitslice.h",
                "shared/counter_mode.h"
            )
        };
        let rest = match self {
            Text::ExpandKey => body() + &planes() + &files!("shared/masks.h", "shared/ghash.h", "expand_key.cu"),
            Text::Verify => body() + &planes() + &files!("shared/ghash.h", "shared/chunk_tag.h", "verify.cu"),
            Text::Finalize => body() + &files!("finalize.cu"),
            Text::Open => body() + &bitslice() + &files!("open.cu"),
            Text::Seal => body() + &bitslice() + &files!("seal.cu"),
            Text::Tag => body() + &planes() + &files!("shared/ghash.h", "shared/chunk_tag.h", "tag.cu"),
            Text::HashLeaves => body() + &files!("shared/keccak.h", "hash_leaves.cu"),
            Text::HashNodes => body() + &files!("shared/keccak.h", "hash_nodes.cu"),
            Text::CompareRoot => body() + &files!("shared/keccak.h", "compare_root.cu"),
            Text::CastElements => files!("shared/bits.h", "shared/halves.h", "ops/cast_elements.cu"),
            Text::DequantizeBlocks => {
                files!("shared/bits.h", "shared/halves.h", "shared/scaled.h", "ops/dequantize_blocks.cu")
            }
            Text::DequantizeChannels => {
                files!("shared/bits.h", "shared/halves.h", "shared/scaled.h", "ops/dequantize_channels.cu")
            }
            Text::StridedCopy => files!("shared/bits.h", "ops/strided_copy.cu"),
        };
        files!("shared/portable.h") + &rest
    }

    /// Its PTX, one entry point: ISA 6.3 for compute capability 7.5, which drivers from CUDA 10.0 on (410.48) compile for any GPU that is
    /// no older (PTX ISA section 11.1.2, `.target`).
    pub const fn ptx(self) -> &'static str {
        match self {
            Text::ExpandKey => ptx!("expand_key"),
            Text::Verify => ptx!("verify"),
            Text::Finalize => ptx!("finalize"),
            Text::Open => ptx!("open"),
            Text::Seal => ptx!("seal"),
            Text::Tag => ptx!("tag"),
            Text::HashLeaves => ptx!("hash_leaves"),
            Text::HashNodes => ptx!("hash_nodes"),
            Text::CompareRoot => ptx!("compare_root"),
            Text::CastElements => ptx!("cast_elements"),
            Text::DequantizeBlocks => ptx!("dequantize_blocks"),
            Text::DequantizeChannels => ptx!("dequantize_channels"),
            Text::StridedCopy => ptx!("strided_copy"),
        }
    }

    /// Threads of a block.
    pub const fn threads(self) -> u32 {
        match self {
            Text::ExpandKey | Text::HashLeaves | Text::HashNodes => 64,
            Text::Verify | Text::Tag => 256,
            Text::CastElements | Text::DequantizeBlocks | Text::DequantizeChannels | Text::StridedCopy => 256,
            Text::Finalize | Text::CompareRoot => 1,
            Text::Open | Text::Seal => 128,
        }
    }

    /// Blocks of threads for so many bound chunks; of [`Text::HashNodes`], for so many nodes; of tensor kernels, for so many words
    /// of output.
    pub const fn blocks(self, units: u32) -> u32 {
        match self {
            Text::ExpandKey | Text::Finalize | Text::CompareRoot => 1,
            Text::HashLeaves => units.div_ceil(64),
            Text::HashNodes => units.div_ceil(super::digest::GROUP_NODES),
            Text::Verify | Text::Tag => units.div_ceil(8),
            Text::Open | Text::Seal => units.div_ceil(4),
            Text::CastElements | Text::DequantizeBlocks | Text::DequantizeChannels | Text::StridedCopy => {
                units.div_ceil(256)
            }
        }
    }
}

/// Size of a key context, as shared/context.h lays it out.
pub const CONTEXT_BYTES: u64 = 560 * 16;
