//! Tensors cross between CPU and GPU only as ciphertext, keyed after quantum computers.
//!
//! ML-KEM-768 and ML-DSA-65 establish a mutually authenticated channel, AES-256-GCM seals every tensor bound to its
//! metadata and sequence number, and the open, tag check included, runs on the device: plaintext first exists in its
//! memory. What holds in which mode, and what does not, stands in README.md and SECURITY.md.
//!
//! # Quick start
//!
//! ```
//! use pqc_gpu_driver::{DType, InMemoryBackend, TensorMetadata, block_on, establish_channel};
//!
//! # fn main() -> pqc_gpu_driver::Result<()> {
//! // 1. Bring up an encrypted CPU<->GPU channel: the real handshake, between two fresh identities that pin each other.
//! let (cpu, gpu) = establish_channel("inference-host", "h100-0")?;
//!
//! // 2. Encrypt a tensor on the CPU side.
//! let tensor_bytes = vec![1; 4096];
//! let meta = TensorMetadata::new("layer_0.q_proj", "model.layers.0.self_attn.q_proj.weight", DType::F32, [1024])?;
//! assert_eq!(meta.size_bytes(), 4096);
//! let enc = cpu.encrypt_tensor(&tensor_bytes, &meta)?;
//!
//! // 3. Move the ciphertext through a backend. Backends carry ciphertext and hold no key.
//! let backend = InMemoryBackend::default();
//! let handle = block_on(backend.upload(&enc))?;
//! let pulled = block_on(backend.download(handle))?;
//!
//! // 4. Decrypt at the other end. Every tag covers metadata, sequence number and ciphertext.
//! let plaintext = gpu.decrypt_tensor(&pulled)?;
//! assert_eq!(plaintext, tensor_bytes);
//!
//! // The same record again is a replay.
//! assert!(gpu.decrypt_tensor(&pulled).is_err());
//! # Ok(())
//! # }
//! ```
//!
//! # Onto a device
//!
//! In production the device's end opens records into device memory and never sees them in host memory:
//!
//! ```
//! use pqc_gpu_driver::{DType, TensorMetadata, block_on, establish_channel};
//! use pqc_gpu_driver::{device::CpuDevice, transfer::{Destination, Transfer, seal_into_slot}};
//!
//! # fn main() -> pqc_gpu_driver::Result<()> {
//! let (host, device) = establish_channel("host", "device")?;
//! let mut transfer = Transfer::new(CpuDevice::default());
//!
//! let weights = vec![7; 100_000];
//! let meta = TensorMetadata::new("0", "weights", DType::U8, [100, 1000])?;
//! let mut sealing = host.seal(&meta)?;
//! let (header, metadata) = sealing.prelude().split_at(64); // crosses first
//! let pending = device.reserve(header, metadata)?;
//! block_on(async {
//!     // Chunks are sealed straight into the device's staging slots; many tensors may be queued before settling.
//!     let source = |range: std::ops::Range<u64>, slot: &mut _| {
//!         seal_into_slot(&mut sealing, &weights, slot, range.end - range.start)
//!     };
//!     transfer.begin_open(pending, Destination::Owned, source).await?;
//!     sealing.finish()?;
//!     let tensor = transfer.settle().await.remove(0)?; // a handle exists only now: verified and released
//!     assert_eq!(tensor.metadata(), &meta);
//!     Ok(())
//! })
//! # }
//! ```
//!
//! # The house
//!
//! | module | holds |
//! |---|---|
//! | [`tensor`] | element types, shapes, metadata and their one encoding |
//! | [`identity`] | ML-DSA-65 and ML-KEM-768 keys, key-ids, DIDs, PEM files, trust policies |
//! | [`attest`] | driver modules: signed statements about them, and the policy that judges those |
//! | [`channel`] | handshake, key schedule, records, sessions; no I/O, no device, no clock of its own |
//! | [`sealed`] | sealed model files: manifest, recipients, reader, writer |
//! | [`kernel`] | the one table of kernels, and their reference twins |
//! | [`device`] | the trait a vendor implements; the CPU device |
//! | [`ops`] | tensor handling after the open: cast, dequantize, permute, slice |
//! | [`transfer`] | records into device memory and out of it, sealed tensors into it; the ciphertext-only backend |
//! | [`transport`] | handshake and records over streams, blocking and asynchronous |
//! | `wasm` | the npm package's JavaScript classes (feature `web`, wasm32 only) |
//! | `conformance` | the suite every device passes (feature `conformance`) |
//!
//! Imports run one way: `error, tensor ← identity ← attest ← channel ← sealed`, `error ← kernel ← device ← ops`, `transfer` above
//! both and `transport` above that; a test holds it.

#[cfg(doctest)]
mod attacks;
pub mod attest;
pub mod channel;
mod clock;
#[cfg(feature = "conformance")]
pub mod conformance;
pub mod device;
pub mod error;
mod establish;
pub mod identity;
pub mod kernel;
mod key_id;
pub mod ops;
mod parallel;
pub mod sealed;
pub mod tensor;
pub mod transfer;
pub mod transport;
#[cfg(all(feature = "web", target_arch = "wasm32"))]
pub mod wasm;

/// The wgpu that this crate was built with: its types are in [`device::WgpuDevice`]'s interface.
#[cfg(feature = "wgpu")]
pub use wgpu;

/// The cudarc that this crate was built with: its types are in [`device::CudaDevice`]'s interface.
#[cfg(all(feature = "cuda", not(target_arch = "wasm32")))]
pub use cudarc;

pub use channel::{ChannelSession, EncryptedTensor};
pub use clock::SystemClock;
pub use error::{Error, Result};
pub use establish::{establish_channel, establish_channel_with};
pub use identity::{Identity, TrustPolicy};
/// Runs one of this library's futures to completion on this thread.
#[cfg(not(target_arch = "wasm32"))]
pub use pollster::block_on;
pub use tensor::{DType, Shape, TensorMetadata};
pub use transfer::{Backend, InMemoryBackend};
