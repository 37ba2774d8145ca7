//! The channel: a mutually authenticated post-quantum handshake and the records it keys.
//!
//! Sans-I/O: bytes in, bytes out, over any transport. Nothing here touches a device, a socket, a file or
//! a clock of its own. Read in this order: [`message`] (wire forms), `transcript`, `schedule` (keys),
//! [`handshake`] (the four messages as states that consume themselves), [`record`] (headers), [`chunk`]
//! (bodies), [`session`] (sequence, epochs, release).

pub mod chunk;
pub mod clock;
pub(crate) mod coins;
pub mod handshake;
#[cfg(any(test, feature = "conformance"))]
pub mod hazmat;
pub mod message;
pub mod record;
pub(crate) mod schedule;
pub mod session;
pub mod suite;
mod transcript;

pub use clock::{Clock, Timestamp};
pub use handshake::{DeviceConfig, DeviceHandshake, HostConfig, HostHandshake};
pub use session::{ChannelSession, EncryptedTensor};
