//! Tensor handling after the open: cast, dequantize, permute, slice, each on the device and into memory of its own.
//!
//! A result has the id and the name of what it was made of, and its own element type and shape; it is erased when its last
//! handle is gone. The tensors that it was made of stay as they are. Every call waits for the device, and gives no
//! handle unless everything went well; a future that is dropped leaves nothing readable.
//!
//! Every device gives the same bits: the kernels work on the bits of floats with integers, as WGSL lets a device flush
//! subnormals, round either way and assume that nothing is infinite. They are constant-time.
//!
//! ```
//! use pqc_gpu_driver::{DType, TensorMetadata, block_on, establish_channel, ops};
//! use pqc_gpu_driver::{device::CpuDevice, transfer::Transfer};
//!
//! # fn main() -> pqc_gpu_driver::Result<()> {
//! let (host, device) = establish_channel("host", "device")?;
//! let mut transfer = Transfer::new(CpuDevice::default());
//! let meta = TensorMetadata::new("0", "weights", DType::F32, [2, 3])?;
//! let values = [1.0f32, 2.0, 3.0, 4.0, 5.0, 6.0];
//! let sealed = host.encrypt_tensor(&values.map(f32::to_le_bytes).concat(), &meta)?;
//! let pending = device.reserve(&sealed.as_bytes()[..64], &meta.encode())?;
//! let body = &sealed.as_bytes()[64 + meta.encode().len()..];
//! block_on(async {
//!     let opened = transfer.open(pending, body).await?;
//!     let column = ops::slice(transfer.device(), &opened, &[0..2, 1..2]).await?;
//!     let halves = ops::cast(transfer.device(), &column, DType::BF16).await?;
//!     assert_eq!((halves.metadata().dtype(), halves.metadata().shape().extents()), (DType::BF16, &[2, 1][..]));
//!     halves.buffer().with_bytes(|bytes| assert_eq!(bytes[..4], [0x00, 0x40, 0xa0, 0x40])); // 2.0 and 5.0
//!     Ok(())
//! })
//! # }
//! ```

#[cfg(all(feature = "cuda", not(target_arch = "wasm32")))]
mod dlpack;
mod linear;
mod strided;
mod tensor;
mod work;

pub use linear::{Quantization, cast, dequantize};
pub use strided::{MAX_ELEMENTS, MAX_RANK, permute, slice, transpose};
pub use tensor::{DeviceTensor, Origin};
