//! Attacks beyond the known flaws of an earlier implementation: `beyond_…` here, and in `handshake_tampering.rs`,
//! `handshake.rs`, `attacks_devices.rs`, `device_loss.rs`, `never_finishes.rs` and the session's own tests.
#![allow(clippy::unwrap_used, missing_docs)]

#[path = "../common/mod.rs"]
mod common;
#[path = "../attacks_devices/hoarder.rs"]
mod hoarder;

mod memory;
mod records;
mod signatures;
