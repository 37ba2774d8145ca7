//! The shaders, and what is secret in each.

use pqc_gpu_driver::kernel::wgsl::{Forms, Shader};

/// A shader to examine.
#[derive(Debug)]
pub(crate) struct Subject {
    pub(crate) name: String,
    pub(crate) source: String,
    /// Every binding. One that is missing here is an error.
    pub(crate) bindings: Vec<Row>,
    pub(crate) floats: Floats,
    /// Where it calls `declassify`: exactly here.
    pub(crate) declassifies: &'static [Declassifies],
}

/// What a binding holds when a launch starts, and what may be stored in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Holds {
    /// Known to everyone, then and after: nothing secret may be stored there.
    Public,
    /// Known to everyone when the launch starts. Ciphertext and tags are stored there, which are computed from secrets:
    /// the pass takes what this launch stores for secret.
    Sealed,
    Secret,
    /// Secret but for the elements of these numbers.
    SecretBut(&'static [u32]),
}

/// Whether secrets may be operands of floating-point additions, products, comparisons, minima, roundings and
/// conversions. Division and all other functions of floats are leaks either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Floats {
    /// In cryptography.
    Forbidden,
    /// In arithmetic on tensors, which is what such a shader is for.
    Allowed,
}

/// A binding by its name, and what it holds.
type Row = (&'static str, Holds);
/// A function, and the text of its call of `declassify`.
type Declassifies = (&'static str, &'static str);

/// The context but for its stamp, block 0.
const CONTEXT: Row = ("context", Holds::SecretBut(&[0]));
const PARAMS: Row = ("params", Holds::Public);

const ONE_TAG: Declassifies =
    ("holds", "declassify(u32((difference.x | difference.y | difference.z | difference.w) == 0u))");
const ONE_CONTEXT: Declassifies = ("usable", "declassify(u32((h.x | h.y | h.z | h.w) != 0u))");

impl Subject {
    pub(crate) fn of(shader: Shader) -> Subject {
        Subject::in_forms(shader, Forms::default())
    }

    pub(crate) fn in_forms(shader: Shader, forms: Forms) -> Subject {
        use Holds::{Public, Sealed, Secret};
        let (bindings, declassifies): (&[Row], &[Declassifies]) = match shader {
            Shader::ExpandKey => (&[PARAMS, ("key", Secret), CONTEXT], &[]),
            Shader::Verify => (&[PARAMS, CONTEXT, ("aad", Public), ("body", Public), ("verdicts", Public)], &[ONE_TAG]),
            Shader::Finalize => (&[PARAMS, CONTEXT, ("verdicts", Public)], &[ONE_CONTEXT]),
            Shader::Open(_) => (&[PARAMS, CONTEXT, ("body", Public), ("verdicts", Public), ("plaintext", Secret)], &[]),
            Shader::Seal(_) => (&[PARAMS, CONTEXT, ("plaintext", Secret), ("body", Sealed)], &[ONE_CONTEXT]),
            Shader::Tag => (&[PARAMS, CONTEXT, ("aad", Public), ("body", Sealed)], &[ONE_CONTEXT]),
            Shader::Wipe => (&[PARAMS, ("memory", Secret)], &[]),
            // Digests are of ciphertext.
            Shader::HashLeaves => (&[PARAMS, ("body", Public), ("nodes", Public)], &[]),
            Shader::HashNodes => (&[PARAMS, ("nodes", Public), ("above", Public)], &[]),
            Shader::CompareRoot => (&[PARAMS, ("top", Public), ("verdicts", Public)], &[]),
            Shader::CastElements | Shader::DequantizeBlocks | Shader::StridedCopy => {
                (&[PARAMS, ("input", Secret), ("output", Secret)], &[])
            }
            Shader::DequantizeChannels => {
                (&[PARAMS, ("input", Secret), ("scales", Secret), ("zero_points", Secret), ("output", Secret)], &[])
            }
        };
        // Tensor kernels convert whole numbers to floats; everything else of theirs is integers.
        let floats = match shader {
            Shader::CastElements | Shader::DequantizeBlocks | Shader::DequantizeChannels => Floats::Allowed,
            _ => Floats::Forbidden,
        };
        Subject {
            name: format!("{shader:?} in {forms:?}"),
            source: shader.source_in(forms),
            bindings: bindings.to_vec(),
            floats,
            declassifies,
        }
    }
}
