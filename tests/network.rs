//! Two processes and what lies between them: `pqc-gpu serve`, `pqc-gpu transfer --connect`, and hostile peers and wires.
#![cfg(all(unix, feature = "cli"))]
#![allow(clippy::unwrap_used, missing_docs)]

#[path = "program/support.rs"]
mod support;

mod network {
    pub(crate) mod attestation;
    pub(crate) mod crowd;
    pub(crate) mod ends;
    pub(crate) mod exchange;
    pub(crate) mod hostile;
    pub(crate) mod proxy;
    pub(crate) mod signals;
    pub(crate) mod tampering;
    #[cfg(feature = "wgpu")]
    pub(crate) mod wgpu;
}
