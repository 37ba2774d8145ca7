//! Sealed model files (docs/sealed-format.md): how they are read, and how the bodies in them are keyed.

mod body;
pub mod cobblestone;
#[cfg(not(target_arch = "wasm32"))]
mod map;
mod part;
pub mod tree;

pub use body::{Roots, SealedBody};
#[cfg(not(target_arch = "wasm32"))]
pub use map::MappedFile;
pub use part::SealedPart;
