//! What NVIDIA's management library says of confidential computing.

use libloading::{Library, Symbol};

/// NVIDIA's confidential mode, as NVML reports it for this system. It is the driver's word: evidence of it is the vendor's attestation,
/// which is not asked for here.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfidentialComputing {
    /// Nobody says so, and why.
    Unknown(String),
    /// Off, or no such hardware.
    Off,
    /// On, and open to debuggers or simulated: it protects nothing.
    Development,
    /// On.
    On,
}

const LIBRARY: &str = if cfg!(windows) { "nvml.dll" } else { "libnvidia-ml.so.1" };

/// `nvmlConfComputeSystemState_t`.
#[repr(C)]
#[derive(Default)]
struct SystemState {
    /// 0 unavailable, 1 simulated, 2 production.
    environment: u32,
    /// 1 where it is on.
    feature: u32,
    /// 1 where it is open to developers' tools.
    developer_tools: u32,
}

type Plain = unsafe extern "C" fn() -> u32;
type Asked = unsafe extern "C" fn(*mut SystemState) -> u32;

pub(super) fn confidential_computing() -> ConfidentialComputing {
    ask().unwrap_or_else(ConfidentialComputing::Unknown)
}

fn ask() -> Result<ConfidentialComputing, String> {
    // SAFETY: this runs the initialisers of the driver's own library.
    let library = unsafe { Library::new(LIBRARY) }.map_err(|_| format!("no {LIBRARY}"))?;
    let missing = |name: &str| format!("{LIBRARY} has no {name}");
    // SAFETY: these are the types in nvml.h.
    let (start, end, state): (Symbol<'_, Plain>, Symbol<'_, Plain>, Symbol<'_, Asked>) = unsafe {
        (
            library.get(b"nvmlInit_v2\0").map_err(|_| missing("nvmlInit_v2"))?,
            library.get(b"nvmlShutdown\0").map_err(|_| missing("nvmlShutdown"))?,
            library.get(b"nvmlSystemGetConfComputeState\0").map_err(|_| missing("nvmlSystemGetConfComputeState"))?,
        )
    };
    // SAFETY: it may be called at any time, and is paired with the other below.
    let started = unsafe { start() };
    if started != 0 {
        return Err(format!("nvmlInit_v2 said {started}"));
    }
    let mut found = SystemState::default();
    // SAFETY: the structure is the one that it writes.
    let asked = unsafe { state(&mut found) };
    // SAFETY: it was started.
    unsafe { end() };
    /// Drivers of GPUs that have no such mode.
    const NOT_SUPPORTED: u32 = 3;
    match (asked, found.feature, found.environment, found.developer_tools) {
        (0, 1, 2, 0) => Ok(ConfidentialComputing::On),
        (0, 1, ..) => Ok(ConfidentialComputing::Development),
        (0 | NOT_SUPPORTED, ..) => Ok(ConfidentialComputing::Off),
        (code, ..) => Err(format!("nvmlSystemGetConfComputeState said {code}")),
    }
}
