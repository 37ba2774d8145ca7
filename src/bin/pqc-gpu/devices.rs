//! `pqc-gpu devices`: what can be used here, and what holds when it is.

use pqc_gpu_driver::Error;
#[cfg(feature = "cuda")]
use pqc_gpu_driver::device::{CudaDevice, cuda::ConfidentialComputing};
use serde::Serialize;

use crate::{
    choose::{AnyDevice, DeviceChoice},
    failure::Failure,
    output,
};

const EXAMPLES: &str = "\
Examples:
  pqc-gpu devices
      Every kind of device, whether it can be used, and what its use promises.
  pqc-gpu devices --json
      The same as one JSON object, for scripts.";

/// The mode that every device of this version runs in.
const MODE: &str = "every mode, between endpoints that pin each other";
/// Where NVML says that the GPU is in NVIDIA's confidential mode.
#[cfg(feature = "cuda")]
const CONFIDENTIAL_MODE: &str = "inside NVIDIA Confidential Computing, says NVML: bus, host OS and hypervisor are the vendor's \
    promise, of which no evidence was asked for; between endpoints that pin each other";
const PROMISE: &str =
    "nobody on network, CDN, disk or page cache reads or alters a tensor between sealing and the device";
/// What holds nowhere, whatever the device.
const NOT_PROMISED: &str = "not promised: an active attacker on the bus, a compromised CPU host, a hostile driver, \
    power or electromagnetic side channels, availability, accept-any peers";

/// List the devices, why an absent one is absent, and what holds with each
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl Arguments {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let devices: Vec<Entry> = DeviceChoice::ORDER.iter().flat_map(entries).collect();
        if self.json {
            return output::json(&Listing { devices, not_promised: NOT_PROMISED });
        }
        print(&devices)
    }
}

#[derive(Serialize)]
struct Listing {
    devices: Vec<Entry>,
    not_promised: &'static str,
}

#[derive(Serialize)]
struct Entry {
    id: String,
    available: bool,
    /// Why it is not available.
    reason: Option<String>,
    #[serde(flatten)]
    facts: Option<Facts>,
}

/// What is known of an available device only.
#[derive(Serialize)]
struct Facts {
    name: String,
    driver: String,
    software: bool,
    unified_memory: bool,
    max_buffer_bytes: u64,
    max_binding_bytes: u64,
    binding_alignment: u64,
    staging_bytes: u64,
    mode: &'static str,
    promise: &'static str,
    session_key: &'static str,
    bus: &'static str,
    /// NVIDIA's confidential mode: on, development, off or unknown. Only for CUDA devices.
    #[serde(skip_serializing_if = "Option::is_none")]
    confidential_computing: Option<&'static str>,
}

/// The devices of a kind, at least one: what it says is absent where none is there.
fn entries(choice: &DeviceChoice) -> Vec<Entry> {
    #[cfg(feature = "wgpu")]
    if matches!(choice, DeviceChoice::Wgpu(_)) {
        let found = crate::adapters::found();
        let absent = found.iter().all(|found| found.software).then(|| Entry::new(choice.id(), choice.open_named()));
        let there = found.iter().map(|found| Entry::new(found.id.clone(), found.open().map(AnyDevice::Wgpu)));
        return absent.into_iter().chain(there).collect();
    }
    #[cfg(feature = "cuda")]
    if matches!(choice, DeviceChoice::Cuda(_)) {
        let numbers = 0..CudaDevice::count().unwrap_or_default().max(1);
        let each = numbers.map(DeviceChoice::Cuda).map(|choice| Entry::new(choice.id(), choice.open_named()));
        return each.collect();
    }
    vec![Entry::new(choice.id(), choice.open_named())]
}

impl Entry {
    fn new(id: String, opened: Result<AnyDevice, Error>) -> Self {
        match opened {
            Ok(device) => Entry { id, available: true, reason: None, facts: Some(Facts::of(&device)) },
            Err(error) => {
                // The id stands before it in every listing.
                let reason = match error {
                    Error::DeviceUnavailable { remedy, .. } => remedy,
                    other => other.to_string(),
                };
                Entry { id, available: false, reason: Some(reason), facts: None }
            }
        }
    }
}

impl Facts {
    fn of(device: &AnyDevice) -> Self {
        let info = device.info();
        let (session_key, bus) = keys_and_bus(device);
        let (confidential_computing, mode) = confidential_computing(device);
        Facts {
            name: info.name.clone(),
            driver: info.driver.clone(),
            software: info.software,
            unified_memory: info.unified_memory,
            max_buffer_bytes: info.max_buffer_bytes,
            max_binding_bytes: info.max_binding_bytes,
            binding_alignment: info.binding_alignment,
            staging_bytes: info.staging_bytes(),
            mode,
            promise: PROMISE,
            session_key,
            bus,
            confidential_computing,
        }
    }
}

/// What holds where a sealed file is opened on a device.
#[derive(Serialize)]
pub(crate) struct Promise {
    pub(crate) mode: &'static str,
    pub(crate) promise: &'static str,
    pub(crate) bus: &'static str,
}

impl Promise {
    /// Of this device.
    pub(crate) fn of_sealed_file(device: &AnyDevice) -> Self {
        let (info, (_, bus)) = (device.info(), keys_and_bus(device));
        // Plaintext lies in host RAM where that is the device's memory.
        if matches!(device, AnyDevice::Cpu(_)) || info.software || info.unified_memory {
            return Promise { mode: MODE, promise: PROMISE, bus };
        }
        Promise {
            mode: "sealed file opened on a GPU",
            promise: "nobody but the recipients reads or alters a tensor between sealing and the device, and host RAM of the \
                loading process never holds plaintext weights",
            bus: "tensors cross as ciphertext only; their keys cross too: a bus tap that recorded them can decrypt",
        }
    }
}

/// Where the session's key is, and what whoever listens on the way to the device's memory gets.
fn keys_and_bus(device: &AnyDevice) -> (&'static str, &'static str) {
    const HOST_HELD: &str = "host-held: host RAM holds keys";
    #[cfg(any(feature = "wgpu", feature = "cuda"))]
    const CROSSES: (&str, &str) = (
        "host-held: host RAM holds keys, and the session key crosses the bus at set-up",
        "tensors cross as ciphertext only; a bus tap that recorded the set-up has the session key and can decrypt",
    );
    let info = device.info();
    match device {
        AnyDevice::Cpu(_) => (HOST_HELD, "none, so nothing is promised about one"),
        #[cfg(feature = "wgpu")]
        AnyDevice::Wgpu(_) if info.software => (
            HOST_HELD,
            "none: this is no GPU, a CPU runs the shaders and tensors lie open in host RAM; for tests, not for secrets",
        ),
        #[cfg(feature = "wgpu")]
        AnyDevice::Wgpu(_) if info.unified_memory => {
            (HOST_HELD, "none: the GPU shares the host's RAM, where tensors lie open once they are opened")
        }
        #[cfg(feature = "wgpu")]
        AnyDevice::Wgpu(_) => CROSSES,
        #[cfg(feature = "cuda")]
        AnyDevice::Cuda(_) if info.unified_memory => {
            (HOST_HELD, "none: the GPU shares the host's RAM, where tensors lie open once they are opened")
        }
        #[cfg(feature = "cuda")]
        AnyDevice::Cuda(_) => CROSSES,
    }
}

/// NVIDIA's confidential mode, where it can be known, and the mode that the device runs in.
fn confidential_computing(device: &AnyDevice) -> (Option<&'static str>, &'static str) {
    match device {
        #[cfg(feature = "cuda")]
        AnyDevice::Cuda(device) => match device.confidential_computing() {
            ConfidentialComputing::On => (Some("on"), CONFIDENTIAL_MODE),
            ConfidentialComputing::Development => (Some("development: it protects nothing"), MODE),
            ConfidentialComputing::Off => (Some("off"), MODE),
            _ => (Some("unknown"), MODE),
        },
        _ => (None, MODE),
    }
}

fn print(devices: &[Entry]) -> Result<(), Failure> {
    let rows: Vec<[String; 4]> = devices
        .iter()
        .map(|entry| {
            let (name, driver) = match &entry.facts {
                Some(facts) => (facts.name.clone(), facts.driver.clone()),
                None => ("-".into(), "-".into()),
            };
            let available = if entry.available { "yes" } else { "no" };
            [entry.id.clone(), available.into(), name, driver]
        })
        .collect();
    output::table(["device", "available", "name", "driver"], &rows)?;
    for entry in devices {
        output::lines([String::new()])?;
        match (&entry.facts, &entry.reason) {
            (Some(facts), _) => output::lines(
                [
                    format!("{}:", entry.id),
                    format!("  software       {}", if facts.software { "yes" } else { "no" }),
                    format!("  memory         {}", if facts.unified_memory { "the host's" } else { "its own" }),
                    format!(
                        "  largest buffer {} bytes, binding {} bytes",
                        facts.max_buffer_bytes, facts.max_binding_bytes
                    ),
                    format!(
                        "  staging        {} bytes, offsets in multiples of {}",
                        facts.staging_bytes, facts.binding_alignment
                    ),
                    format!("  holds          {}:", facts.mode),
                    format!("                 {}", facts.promise),
                    format!("  session key    {}", facts.session_key),
                    format!("  bus            {}", facts.bus),
                ]
                .into_iter()
                .chain(facts.confidential_computing.map(|said| format!("  confidential   {said}"))),
            )?,
            (None, Some(reason)) => output::lines([format!("{}: {reason}", entry.id)])?,
            (None, None) => {}
        }
    }
    output::lines(["", NOT_PROMISED])
}
