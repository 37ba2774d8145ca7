//! Tensors cross between CPU and GPU only as ciphertext.
#[cfg(doctest)]
mod attacks;
pub mod channel;
mod clock;
#[cfg(feature = "conformance")]
pub mod conformance;
pub mod device;
pub mod error;
mod establish;
pub mod identity;
pub mod kernel;
mod parallel;
pub mod sealed;
pub mod tensor;
pub mod transfer;

pub use channel::{ChannelSession, EncryptedTensor};
pub use clock::SystemClock;
pub use error::{Error, Result};
pub use establish::{establish_channel, establish_channel_with};
/// Runs one of this library's futures to completion on this thread.
#[cfg(not(target_arch = "wasm32"))]
pub use pollster::block_on;
pub use tensor::{DType, Shape, TensorMetadata};
pub use transfer::{Backend, InMemoryBackend};
