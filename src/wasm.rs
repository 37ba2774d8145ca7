//! What the npm package's JavaScript (web/src) is built on: thin classes over the library, nothing else.
//!
//! They take and give bytes, promises and the page's own WebGPU objects; options, defaults and streams are the
//! JavaScript's. Every error is a JavaScript `Error` with a `code`, listed in [`failure`].

mod channel;
mod failure;
mod identity;
mod opener;
mod sealed;
mod source;
mod stream;
mod tensor;
mod webcrypto;

pub use channel::Channel;
pub use identity::Identity;
pub use opener::Opener;
pub use sealed::SealedFile;
pub use source::ByteSource;
pub use stream::ByteStream;
pub use tensor::Tensor;
