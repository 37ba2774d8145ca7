//! The program, run as people and scripts run it.
#![cfg(all(not(target_arch = "wasm32"), feature = "cli"))]

#[path = "common/ko.rs"]
mod ko;

mod program {
    pub(crate) mod bench;
    pub(crate) mod devices;
    pub(crate) mod driver;
    pub(crate) mod driver_inspect;
    pub(crate) mod driver_load;
    pub(crate) mod identity;
    pub(crate) mod kat;
    pub(crate) mod sealed;
    #[cfg(feature = "object-store")]
    pub(crate) mod sealed_urls;
    #[cfg(feature = "object-store")]
    pub(crate) mod storage;
    pub(crate) mod support;
    pub(crate) mod transfer;
}
