//! The known flaws of an earlier implementation, A01 to A21, each played against this one's public interface.
//!
//! Those that need files and a command line, A16 and A21, are in `tests/program/driver.rs` as well; what must not
//! compile (A05, A07, A19) is in `src/attacks.rs`.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, missing_docs)]

mod bytes;
mod forge;
mod handshake;
mod trust;
