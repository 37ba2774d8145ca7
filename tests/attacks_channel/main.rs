//! The known flaws of an earlier implementation, C01 to C31, each played against this one's public interface.
//!
//! Where there is nothing left to attack (a session cannot be cloned, no expiry can be set), `src/attacks.rs` holds
//! the examples that must not compile.
#![allow(clippy::unwrap_used, missing_docs)]

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/independent.rs"]
mod independent;

mod keys;
mod records;
mod sequence;
mod text;
mod time;
