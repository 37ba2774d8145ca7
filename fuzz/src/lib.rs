//! What must hold for every input, one module a fuzz target. `check` panics where it does not, and says whether the input
//! was accepted, so that a test can tell a seed that reaches something from one that is refused at the first byte.

pub mod attestation;
#[path = "../../tests/common/sealed_book.rs"]
mod book;
#[path = "../../tests/common/independent.rs"]
mod by_the_book;
mod containers;
pub mod handshake_device;
pub mod handshake_host;
mod honest;
pub mod identity_pem;
mod input;
pub mod kat;
pub mod kernel_module;
#[path = "../../tests/common/ko.rs"]
mod ko;
mod pem;
pub mod policy;
pub mod records;
mod sealed;
pub mod sealed_front;
#[path = "../../tests/common/sealed_inputs.rs"]
mod sealed_inputs;
pub mod sealed_manifest;
pub mod sealed_recipients;
pub mod seeds;
pub mod session;
pub mod tensor_metadata;
pub mod text;
pub mod transport;

/// No input takes more memory than this, whatever lengths it announces: past it the process aborts.
#[global_allocator]
static MEMORY: cap::Cap<std::alloc::System> = cap::Cap::new(std::alloc::System, 256 << 20);

/// A target by its name.
pub type Target = (&'static str, fn(&[u8]) -> bool);

/// Every target.
pub const TARGETS: [Target; 15] = [
    ("attestation", attestation::check),
    ("handshake_device", handshake_device::check),
    ("handshake_host", handshake_host::check),
    ("identity_pem", identity_pem::check),
    ("kat", kat::check),
    ("kernel_module", kernel_module::check),
    ("policy", policy::check),
    ("records", records::check),
    ("sealed_front", sealed_front::check),
    ("sealed_manifest", sealed_manifest::check),
    ("sealed_recipients", sealed_recipients::check),
    ("session", session::check),
    ("tensor_metadata", tensor_metadata::check),
    ("text", text::check),
    ("transport", transport::check),
];
