//! Channels over streams: the handshake, and records as they come and go.
//!
//! Everything here is written once, over the streams of [`futures_io`]; a blocking `Read + Write` becomes one by
//! [`Blocking`], and [`crate::block_on`] drives it. [`connect`] and [`accept`] run the handshake, a [`Receiver`] takes records off a
//! stream and a [`Sender`] puts them on one. Tensors are never held whole: bodies go in pieces of about 1 MiB between the stream
//! and the device's staging slots.
//!
//! ```
//! use std::{net::{TcpListener, TcpStream}, sync::Arc, thread};
//! use pqc_gpu_driver::{
//!     DType, Identity, SystemClock, TensorMetadata, TrustPolicy, block_on,
//!     channel::{DeviceConfig, HostConfig, message::SessionPolicy},
//!     device::CpuDevice,
//!     transfer::{Destination, Transfer},
//!     transport::{self, Blocking, Limits, Receiver, Sender},
//! };
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (host, device) = (Arc::new(Identity::generate()?), Arc::new(Identity::generate()?));
//! let (host_key, device_key) = (host.public_key().clone(), device.public_key().clone());
//! let listener = TcpListener::bind("127.0.0.1:0")?;
//! let address = listener.local_addr()?;
//!
//! let device_end = thread::spawn(move || -> Result<(), pqc_gpu_driver::Error> {
//!     let socket = listener.accept().unwrap().0;
//!     block_on(async {
//!         let config = DeviceConfig {
//!             identity: device,
//!             label: "device".into(),
//!             trust: TrustPolicy::pin(host_key),
//!             max_ttl_seconds: 3600,
//!             attestation: Vec::new(),
//!             clock: Arc::new(SystemClock::default()),
//!         };
//!         let session = transport::accept(&mut Blocking(&socket), config).await?;
//!         let limits = Limits { max_tensor_bytes: 1 << 30, ..Limits::default() };
//!         let mut receiver = Receiver::new(&session, Blocking(&socket), limits);
//!         let mut transfer = Transfer::new(CpuDevice::default());
//!         while let Some(incoming) = receiver.next().await? {
//!             incoming.open_onto(&mut transfer, Destination::Owned).await?;
//!             let tensor = transfer.settle().await.remove(0)?;
//!             assert_eq!(tensor.metadata().name(), "weights");
//!         }
//!         Sender::new(&session, Blocking(&socket)).close().await
//!     })
//! });
//!
//! let socket = TcpStream::connect(address)?;
//! let config = HostConfig {
//!     identity: host,
//!     label: "host".into(),
//!     trust: TrustPolicy::pin(device_key),
//!     expected_device: None,
//!     policy: SessionPolicy::default(),
//!     attestation_check: None,
//!     clock: Arc::new(SystemClock::default()),
//! };
//! block_on(async {
//!     let session = transport::connect(&mut Blocking(&socket), config).await?;
//!     let mut sender = Sender::new(&session, Blocking(&socket));
//!     let metadata = TensorMetadata::new("0", "weights", DType::U8, [100, 1000])?;
//!     sender.send(&metadata, &vec![7; 100_000]).await?;
//!     sender.close().await?;
//!     let mut receiver = Receiver::new(&session, Blocking(&socket), Limits::default());
//!     assert!(receiver.next().await?.is_none(), "the device's CLOSE");
//!     receiver.end().await
//! })?;
//! device_end.join().unwrap()?;
//! # Ok(())
//! # }
//! ```
//!
//! # Time
//!
//! Nothing here has a clock: a blocking stream's own time-outs end a wait, and come out as [`crate::Error::TimedOut`]; an
//! asynchronous caller wraps these futures in its executor's. A peer can send a byte now and then for ever, so a server
//! wants a deadline over the whole of [`accept`], and one for each record. A future that is dropped between [`Receiver::next`]'s
//! return and the next call loses nothing; dropped within a record, that record and the session have failed.
//!
//! # Who reads when
//!
//! Where both ends send much, both must also read: two ends that only write wait for each other once the buffers between
//! them are full. [`Receiver`] and [`Sender`] share a session by reference, for two threads or two futures.

mod blocking;
mod handshake;
mod limits;
mod receiver;
mod sender;
mod stream;

pub use blocking::Blocking;
pub use handshake::{accept, connect};
pub use limits::Limits;
pub use receiver::{Incoming, Receiver};
pub use sender::Sender;

use crate::channel::chunk::SEALED_CHUNK_BYTES;

/// The longest piece of a body between stream and slot: 64 chunks, about 1 MiB.
pub const PIECE_BYTES: usize = PIECE_CHUNKS as usize * SEALED_CHUNK_BYTES as usize;

const PIECE_CHUNKS: u32 = 64;
