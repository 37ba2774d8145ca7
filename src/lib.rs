//! Tensors cross between CPU and GPU only as ciphertext.
pub mod channel;
mod clock;
pub mod error;
mod establish;
pub mod identity;
pub mod tensor;

pub use channel::{ChannelSession, EncryptedTensor};
pub use clock::SystemClock;
pub use error::{Error, Result};
pub use establish::{establish_channel, establish_channel_with};
pub use tensor::{DType, Shape, TensorMetadata};
