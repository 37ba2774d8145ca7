//! The kernels in WGSL: which files make up a shader, and what it binds.
//!
//! A shader is the text of its own file and of the shared files that it names in [`Shader::source`], joined. The bindings
//! are those of the kernel table, after the parameters at binding 0; where a kernel takes several shaders, each binds what
//! it uses.

/// A compute shader. Its entry point bears its file's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Shader {
    /// Of [`super::Kernel::ExpandKey`].
    ExpandKey,
    /// Of [`super::Kernel::Verify`].
    Verify,
    /// Of [`super::Kernel::Finalize`].
    Finalize,
    /// Of [`super::Kernel::Open`].
    Open(Plaintext),
    /// The first half of [`super::Kernel::Seal`]: ciphertext.
    Seal(Plaintext),
    /// The second half of [`super::Kernel::Seal`]: tags over the ciphertext that the first wrote.
    Tag,
    /// Zeros over memory.
    Wipe,
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

/// How a shader binds a buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binding {
    /// As a uniform buffer: every invocation of a workgroup reads the same place at the same time, and GPUs have a short way to there.
    Uniform,
    /// As a storage buffer that it reads.
    Read,
    /// As a storage buffer that it writes, and may read.
    Write,
}

/// How plaintext is bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Plaintext {
    /// As blocks of 16 bytes: quicker, where the binding is a whole number of them.
    Blocks,
    /// As words of 4 bytes, for a caller's buffer that ends within a block.
    Words,
}

/// The forms of the two primitives that kernels can be built from; docs/kernels.md says which is chosen and why.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Forms {
    /// AES in counter mode.
    pub aes: AesForm,
    /// GHASH's products.
    pub ghash: GhashForm,
}

/// How AES is computed in counter mode.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum AesForm {
    /// 32 blocks an invocation in 128 words: the fewest operations.
    #[default]
    Bitslice,
    /// Two blocks an invocation in eight words: the fewest registers.
    Planes,
}

/// How GHASH multiplies.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum GhashForm {
    /// By sums of stored products, one a bit: no multiplication.
    #[default]
    Bits,
    /// By integer multiplications with holes, 32 by 32 bits into 32.
    Products,
    /// The same into 64, which needs the feature `SHADER_INT64`.
    Wide,
}

macro_rules! files {
    ($($name:literal),+) => { [$(include_str!(concat!("../../shaders/wgsl/", $name, ".wgsl"))),+].concat() };
}

impl Shader {
    /// Every shader.
    pub const ALL: &'static [Shader] = &[
        Shader::ExpandKey,
        Shader::Verify,
        Shader::Finalize,
        Shader::Open(Plaintext::Blocks),
        Shader::Open(Plaintext::Words),
        Shader::Seal(Plaintext::Blocks),
        Shader::Seal(Plaintext::Words),
        Shader::Tag,
        Shader::Wipe,
        Shader::HashLeaves,
        Shader::HashNodes,
        Shader::CompareRoot,
        Shader::CastElements,
        Shader::DequantizeBlocks,
        Shader::DequantizeChannels,
        Shader::StridedCopy,
    ];

    /// Its place in [`Shader::ALL`].
    pub fn index(self) -> usize {
        Shader::ALL.iter().position(|&shader| shader == self).unwrap_or_default()
    }

    /// The name of its file and entry point.
    pub const fn name(self) -> &'static str {
        match self {
            Shader::ExpandKey => "expand_key",
            Shader::Verify => "verify",
            Shader::Finalize => "finalize",
            Shader::Open(_) => "open",
            Shader::Seal(_) => "seal",
            Shader::Tag => "tag",
            Shader::Wipe => "wipe",
            Shader::HashLeaves => "hash_leaves",
            Shader::HashNodes => "hash_nodes",
            Shader::CompareRoot => "compare_root",
            Shader::CastElements => "cast_elements",
            Shader::DequantizeBlocks => "dequantize_blocks",
            Shader::DequantizeChannels => "dequantize_channels",
            Shader::StridedCopy => "strided_copy",
        }
    }

    /// The whole text, in the forms that are chosen.
    pub fn source(self) -> String {
        self.source_in(Forms::default())
    }

    /// The whole text in other forms, to measure them.
    pub fn source_in(self, forms: Forms) -> String {
        let read = |plaintext| match plaintext {
            Plaintext::Blocks => files!("shared/read_blocks"),
            Plaintext::Words => files!("shared/read_words"),
        };
        let write = |plaintext| match plaintext {
            Plaintext::Blocks => files!("shared/write_blocks"),
            Plaintext::Words => files!("shared/write_words"),
        };
        let counter_mode = || {
            let form = match forms.aes {
                AesForm::Bitslice => files!("shared/aes_bitslice", "shared/transpose", "forms/counter_bitslice"),
                AesForm::Planes => files!("shared/aes_planes", "forms/counter_planes"),
            };
            files!("shared/context", "shared/sub_bytes", "shared/counter_mode") + &form
        };
        let chunk_tag = || {
            let form = match forms.ghash {
                GhashForm::Bits => files!("forms/ghash_bits"),
                GhashForm::Products => files!("forms/ghash_products", "forms/ghash_reduce"),
                GhashForm::Wide => files!("forms/ghash_wide", "forms/ghash_reduce"),
            };
            files!("shared/context", "shared/sub_bytes", "shared/aes_planes", "shared/ghash", "shared/bytes")
                + &files!("shared/declassify", "shared/chunk_tag")
                + &form
        };
        let params = files!("shared/params");
        let rest = match self {
            Shader::ExpandKey => {
                files!("shared/context", "shared/sub_bytes", "shared/aes_planes", "shared/ghash", "expand_key")
            }
            Shader::Verify => chunk_tag() + &files!("verify"),
            Shader::Finalize => files!("shared/context", "shared/declassify", "shared/usable", "finalize"),
            Shader::Open(plaintext) => counter_mode() + &write(plaintext) + &files!("open"),
            Shader::Seal(plaintext) => {
                counter_mode() + &read(plaintext) + &files!("shared/declassify", "shared/usable", "seal")
            }
            Shader::Tag => chunk_tag() + &files!("shared/usable", "tag"),
            Shader::Wipe => files!("wipe"),
            Shader::HashLeaves => files!("shared/keccak", "hash_leaves"),
            Shader::HashNodes => files!("shared/keccak", "hash_nodes"),
            // These have parameters of their own.
            Shader::CompareRoot => return files!("shared/keccak", "compare_root"),
            Shader::CastElements => {
                return files!("shared/place", "shared/bits", "shared/halves", "ops/cast_elements");
            }
            Shader::DequantizeBlocks => {
                return files!(
                    "shared/place",
                    "shared/bits",
                    "shared/halves",
                    "shared/scaled",
                    "ops/dequantize_blocks"
                );
            }
            Shader::DequantizeChannels => {
                return files!(
                    "shared/place",
                    "shared/bits",
                    "shared/halves",
                    "shared/scaled",
                    "ops/dequantize_channels"
                );
            }
            Shader::StridedCopy => return files!("shared/place", "ops/strided_copy"),
        };
        params + &rest
    }

    /// What it binds from binding 1 on: places in the kernel's bindings, and how.
    pub const fn bindings(self) -> &'static [(usize, Binding)] {
        use Binding::{Read, Uniform, Write};
        match self {
            Shader::ExpandKey => &[(0, Read), (1, Write)],
            Shader::Finalize => &[(0, Uniform), (1, Write)],
            Shader::Verify | Shader::Open(_) => &[(0, Uniform), (1, Read), (2, Read), (3, Write)],
            Shader::Seal(_) => &[(0, Uniform), (2, Read), (3, Write)],
            Shader::Tag => &[(0, Uniform), (1, Read), (3, Write)],
            Shader::Wipe => &[(0, Write)],
            Shader::DequantizeChannels => &[(0, Read), (1, Read), (2, Read), (3, Write)],
            Shader::HashLeaves | Shader::HashNodes | Shader::CompareRoot => &[(0, Read), (1, Write)],
            Shader::CastElements | Shader::DequantizeBlocks | Shader::StridedCopy => &[(0, Read), (1, Write)],
        }
    }

    /// How many workgroups it takes for so many bound chunks; for [`Shader::HashNodes`], for so many nodes; for [`Shader::Wipe`], for so many bytes; for those of tensor kernels,
    /// for so many words of output.
    pub const fn workgroups(self, units: u32) -> u32 {
        match self {
            Shader::ExpandKey | Shader::Finalize | Shader::CompareRoot => 1,
            Shader::HashLeaves => units.div_ceil(64),
            Shader::HashNodes => units.div_ceil(super::digest::GROUP_NODES),
            Shader::Verify | Shader::Tag => units.div_ceil(8),
            Shader::Open(_) | Shader::Seal(_) => units.div_ceil(2),
            Shader::CastElements | Shader::DequantizeBlocks | Shader::DequantizeChannels | Shader::StridedCopy => {
                units.div_ceil(64)
            }
            // Each invocation takes word after word.
            Shader::Wipe => match units.div_ceil(256) {
                groups @ 0..=4096 => groups,
                _ => 4096,
            },
        }
    }
}

/// Size of a key context, as shared/context.wgsl lays it out.
pub const CONTEXT_BYTES: u64 = 690 * 16;
