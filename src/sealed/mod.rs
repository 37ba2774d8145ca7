//! Sealed model files: how they are read, and how the bodies in them are keyed.

pub mod cobblestone;
#[cfg(not(target_arch = "wasm32"))]
mod map;

#[cfg(not(target_arch = "wasm32"))]
pub use map::MappedFile;
