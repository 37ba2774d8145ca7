//! Sealed model files (docs/sealed-format.md): sealed once by a publisher, opened by each recipient.
//!
//! [`PlainModel`] is sealed by a [`Sealing`]. [`Front::read`] reads what a file says of itself, [`SealedModel::open`] opens it
//! with an identity, from any [`Source`]; [`verify`] checks what can be checked without a key.
//!
//! ```
//! # use std::{collections::BTreeMap, io::Cursor};
//! # use pqc_gpu_driver::{DType, Identity, TensorMetadata, TrustPolicy, block_on};
//! use pqc_gpu_driver::sealed::{PlainModel, RecipientKey, Roots, SealedModel, Sealing};
//!
//! # fn main() -> pqc_gpu_driver::Result<()> {
//! let (publisher, reader) = (Identity::generate()?, Identity::generate()?);
//! let weights = vec![7; 100_000]; // of safetensors files: `safetensors::SafetensorsModel`
//! let metadata = TensorMetadata::new("0", "weights", DType::U8, [100, 1000])?;
//! let model = PlainModel::new(BTreeMap::new(), vec![(metadata, &weights)])?;
//! let mut file = Cursor::new(Vec::new());
//! Sealing::new(&model, &publisher, &[RecipientKey::from(reader.public())], 1)?.write(&mut file, |_| ())?;
//!
//! // Anybody may carry the file; its reader pins the publisher.
//! let trust = TrustPolicy::pin(publisher.public_key().clone());
//! let sealed = block_on(SealedModel::open(file.into_inner(), &reader, &trust, 1))?;
//! let opened = block_on(sealed.open_tensor(0, Roots::Check))?;
//! assert_eq!(opened.bytes, weights);
//! # Ok(())
//! # }
//! ```

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
