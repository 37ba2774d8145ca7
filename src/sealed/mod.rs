//! Sealed model files (docs/sealed-format.md): sealed once by a publisher, opened by each recipient.
//!
//! [`PlainModel`] is sealed by a [`Sealing`]. [`Front::read`] reads what a file says of itself, [`SealedModel::open`] opens it
//! with an identity, from any [`Source`]; [`verify`] checks what can be checked without a key.

mod body;
mod ciphertext;
pub mod cobblestone;
mod coins;
mod file_key;
mod front;
#[cfg(any(test, feature = "conformance"))]
pub mod hazmat;
mod hpke;
mod manifest;
#[cfg(not(target_arch = "wasm32"))]
mod map;
mod model;
#[cfg(all(feature = "object-store", not(target_arch = "wasm32")))]
mod object;
mod open;
mod part;
mod plain;
mod recipients;
mod restore;
mod rewrap;
#[cfg(all(feature = "safetensors", not(target_arch = "wasm32")))]
pub mod safetensors;
mod source;
pub mod tree;
mod verify;
mod writer;

pub use body::{Roots, SealedBody};
pub use ciphertext::{Ciphertexts, SealedPiece};
pub use file_key::MAC_BYTES;
pub use front::{Front, PREFIX_BYTES, VerifiedFront};
pub use manifest::{ALIGNMENT, MAX_FILES, MAX_MANIFEST_BYTES, MAX_TENSORS, Manifest, ModelFile, SealedTensor};
#[cfg(not(target_arch = "wasm32"))]
pub use map::MappedFile;
pub use model::{OpenedTensor, SealedModel};
#[cfg(all(feature = "object-store", not(target_arch = "wasm32")))]
pub use object::ObjectSource;
pub use open::BodyOpener;
pub use part::SealedPart;
pub use plain::PlainModel;
pub use recipients::{MAX_RECIPIENTS_BYTES, RecipientId, RecipientKey};
pub use source::{SeekSource, Source};
pub use verify::verify;
pub use writer::Sealing;
