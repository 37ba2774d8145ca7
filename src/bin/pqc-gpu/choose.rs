//! `--device`: which device a command runs on.

use std::str::FromStr;

#[cfg(feature = "cuda")]
use pqc_gpu_driver::device::CudaDevice;
#[cfg(feature = "wgpu")]
use pqc_gpu_driver::device::WgpuDevice;
use pqc_gpu_driver::{
    Error,
    device::{CpuDevice, Device, DeviceInfo},
};

#[cfg(feature = "wgpu")]
use crate::adapters;
use crate::{failure::Failure, output};

/// `--device` for the commands that take it.
#[derive(Debug, clap::Args)]
pub(crate) struct DeviceArgument {
    /// Device to run on: auto, cpu, wgpu, wgpu:N, wgpu:NAME, cuda[:N] or rocm[:N]; see pqc-gpu devices
    #[arg(long, value_name = "DEVICE", default_value = "auto")]
    pub(crate) device: DeviceChoice,
}

/// What `--device` can say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum DeviceChoice {
    /// The first there is of cuda, rocm, hardware wgpu, cpu.
    Auto,
    Cpu,
    Wgpu(Adapter),
    /// A CUDA device by its number.
    Cuda(u32),
    /// A ROCm device by its number.
    Rocm(u32),
}

/// Which of wgpu's adapters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Adapter {
    /// A GPU by its number. Software adapters have none.
    Number(u32),
    /// The first whose name contains this, whatever the case of its letters; the only way to a software adapter.
    Named(String),
}

/// A device of any kind. Code that uses one is generic over [`Device`] and entered through `on_device!`.
pub(crate) enum AnyDevice {
    Cpu(CpuDevice),
    #[cfg(feature = "wgpu")]
    Wgpu(WgpuDevice),
    #[cfg(feature = "cuda")]
    Cuda(CudaDevice),
}

/// Runs an expression on a chosen device, whichever kind it is: `on_device!(any, device => expression)`.
macro_rules! on_device {
    ($any:expr, $device:ident => $run:expr) => {
        match $any {
            $crate::choose::AnyDevice::Cpu($device) => $run,
            #[cfg(feature = "wgpu")]
            $crate::choose::AnyDevice::Wgpu($device) => $run,
            #[cfg(feature = "cuda")]
            $crate::choose::AnyDevice::Cuda($device) => $run,
        }
    };
}
pub(crate) use on_device;

impl DeviceChoice {
    /// Every kind, in the order in which `auto` tries them.
    pub(crate) const ORDER: [DeviceChoice; 4] =
        [DeviceChoice::Cuda(0), DeviceChoice::Rocm(0), DeviceChoice::Wgpu(Adapter::Number(0)), DeviceChoice::Cpu];

    /// The name that [`DeviceChoice::from_str`] reads.
    pub(crate) fn id(&self) -> String {
        match self {
            DeviceChoice::Auto => "auto".into(),
            DeviceChoice::Cpu => "cpu".into(),
            DeviceChoice::Wgpu(Adapter::Number(0)) => "wgpu".into(),
            DeviceChoice::Wgpu(Adapter::Number(number)) => format!("wgpu:{number}"),
            DeviceChoice::Wgpu(Adapter::Named(name)) => format!("wgpu:{name}"),
            DeviceChoice::Cuda(number) => format!("cuda:{number}"),
            DeviceChoice::Rocm(number) => format!("rocm:{number}"),
        }
    }

    /// Opens the device. `auto` says on standard error what it chose and why.
    ///
    /// Never another device than the one named: an absent one is [`Error::DeviceUnavailable`].
    pub(crate) fn open(&self) -> Result<AnyDevice, Failure> {
        match self {
            DeviceChoice::Auto => Self::first_available(),
            named => named.open_named().map_err(Failure::from),
        }
    }

    /// Opens the device of this name, or says why it cannot be had.
    pub(crate) fn open_named(&self) -> Result<AnyDevice, Error> {
        let missing = |kind: &str| Error::DeviceUnavailable {
            device: self.id(),
            remedy: format!("this version has no {kind} device; use --device cpu"),
        };
        match self {
            DeviceChoice::Auto => Err(Error::Usage("auto is no device's name")),
            DeviceChoice::Cpu => Ok(AnyDevice::Cpu(CpuDevice::default())),
            #[cfg(feature = "wgpu")]
            DeviceChoice::Wgpu(adapter) => adapters::open(adapter).map(AnyDevice::Wgpu),
            #[cfg(not(feature = "wgpu"))]
            DeviceChoice::Wgpu(_) => Err(missing("wgpu")),
            #[cfg(feature = "cuda")]
            DeviceChoice::Cuda(number) => match CudaDevice::open(*number) {
                Ok(device) => Ok(AnyDevice::Cuda(device)),
                Err(Error::DeviceUnavailable { device, remedy }) => {
                    Err(Error::DeviceUnavailable { device, remedy: format!("{remedy}; or use --device cpu") })
                }
                Err(error) => Err(error),
            },
            #[cfg(not(feature = "cuda"))]
            DeviceChoice::Cuda(_) => Err(missing("CUDA")),
            DeviceChoice::Rocm(_) => Err(missing("ROCm")),
        }
    }

    fn first_available() -> Result<AnyDevice, Failure> {
        let mut absent = Vec::new();
        for choice in Self::ORDER {
            match choice.open_named() {
                Ok(device) => {
                    let info = device.info();
                    let why = match absent.is_empty() {
                        true => String::new(),
                        false => format!("; not here: {} (pqc-gpu devices says why)", absent.join(", ")),
                    };
                    output::note(format!("--device auto chose {} ({}){why}", info.id, info.name));
                    return Ok(device);
                }
                Err(_) => absent.push(choice.id()),
            }
        }
        Err(Error::DeviceUnavailable { device: "auto".into(), remedy: "no device was found".into() }.into())
    }
}

impl FromStr for DeviceChoice {
    type Err = String;

    /// Reads `auto`, `cpu`, `wgpu`, `wgpu:N`, `wgpu:NAME`, `cuda`, `cuda:N`, `rocm` or `rocm:N`; N is decimal without
    /// sign, and a NAME that is all digits is an N.
    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, number) = match text.split_once(':') {
            Some((kind, number)) => (kind, Some(number)),
            None => (text, None),
        };
        match (kind, number) {
            ("auto", None) => Ok(DeviceChoice::Auto),
            ("cpu", None) => Ok(DeviceChoice::Cpu),
            ("wgpu", Some("")) => Err("an adapter's number or a part of its name has to follow wgpu:".into()),
            ("wgpu", Some(name)) if !name.bytes().all(|byte| byte.is_ascii_digit()) => {
                Ok(DeviceChoice::Wgpu(Adapter::Named(name.into())))
            }
            ("wgpu", number) => device_number(number).map(|number| DeviceChoice::Wgpu(Adapter::Number(number))),
            ("cuda", number) => device_number(number).map(DeviceChoice::Cuda),
            ("rocm", number) => device_number(number).map(DeviceChoice::Rocm),
            _ => Err("expected auto, cpu, wgpu[:N], wgpu:NAME, cuda[:N] or rocm[:N]".into()),
        }
    }
}

impl AnyDevice {
    /// What the device is.
    pub(crate) fn info(&self) -> &DeviceInfo {
        on_device!(self, device => device.info())
    }
}

fn device_number(number: Option<&str>) -> Result<u32, String> {
    let Some(digits) = number else { return Ok(0) };
    // parse alone would take "+1" as well.
    match digits.parse() {
        Ok(number) if digits.bytes().all(|byte| byte.is_ascii_digit()) => Ok(number),
        _ => Err(format!("{digits:?} is no device number; the first device is 0")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_as_they_are_written() {
        let by_name = DeviceChoice::Wgpu(Adapter::Named("RTX 4090: left".into()));
        let more = [DeviceChoice::Auto, DeviceChoice::Cuda(7), DeviceChoice::Wgpu(Adapter::Number(1)), by_name];
        for choice in DeviceChoice::ORDER.into_iter().chain(more) {
            assert_eq!(choice.id().parse(), Ok(choice));
        }
        assert_eq!("cuda".parse(), Ok(DeviceChoice::Cuda(0)));
        assert_eq!("wgpu:0".parse(), Ok(DeviceChoice::Wgpu(Adapter::Number(0))));
        for bad in [
            "",
            "gpu",
            "CPU",
            "cpu:0",
            "wgpu:",
            "wgpu:4294967296",
            "cuda:",
            "cuda:x",
            "cuda:-1",
            "cuda:+1",
            "rocm:4294967296",
            "auto:0",
        ] {
            assert!(bad.parse::<DeviceChoice>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn only_the_device_asked_for_is_opened() {
        assert_eq!(DeviceChoice::Cpu.open().expect("cpu").info().id, "cpu");
        let absent = DeviceChoice::Wgpu(Adapter::Named("no adapter's name has this in it".into()));
        for absent in [absent, DeviceChoice::Cuda(u32::MAX), DeviceChoice::Rocm(3)] {
            assert!(matches!(absent.open_named(), Err(Error::DeviceUnavailable { .. })));
        }
    }
}
