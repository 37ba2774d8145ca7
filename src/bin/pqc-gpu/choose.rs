//! `--device`: which device a command runs on.

use std::str::FromStr;

use pqc_gpu_driver::{
    Error,
    device::{CpuDevice, Device, DeviceInfo},
};

use crate::{failure::Failure, output};

/// `--device` for the commands that take it.
#[derive(Debug, clap::Args)]
pub(crate) struct DeviceArgument {
    /// Device to run on: auto, cpu, wgpu, cuda[:N] or rocm[:N]
    #[arg(long, value_name = "DEVICE", default_value = "auto")]
    pub(crate) device: DeviceChoice,
}

/// What `--device` can say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DeviceChoice {
    /// The first there is of cuda, rocm, hardware wgpu, cpu.
    Auto,
    Cpu,
    Wgpu,
    /// A CUDA device by its number.
    Cuda(u32),
    /// A ROCm device by its number.
    Rocm(u32),
}

/// A device of any kind. Code that uses one is generic over [`Device`] and entered through `on_device!`.
pub(crate) enum AnyDevice {
    Cpu(CpuDevice),
}

/// Runs an expression on a chosen device, whichever kind it is: `on_device!(any, device => expression)`.
macro_rules! on_device {
    ($any:expr, $device:ident => $run:expr) => {
        match $any {
            $crate::choose::AnyDevice::Cpu($device) => $run,
        }
    };
}
pub(crate) use on_device;

impl DeviceChoice {
    /// Every kind, in the order in which `auto` tries them.
    pub(crate) const ORDER: [DeviceChoice; 4] =
        [DeviceChoice::Cuda(0), DeviceChoice::Rocm(0), DeviceChoice::Wgpu, DeviceChoice::Cpu];

    /// The name that [`DeviceChoice::from_str`] reads.
    pub(crate) fn id(self) -> String {
        match self {
            DeviceChoice::Auto => "auto".into(),
            DeviceChoice::Cpu => "cpu".into(),
            DeviceChoice::Wgpu => "wgpu".into(),
            DeviceChoice::Cuda(number) => format!("cuda:{number}"),
            DeviceChoice::Rocm(number) => format!("rocm:{number}"),
        }
    }

    /// Opens the device. `auto` says on standard error what it chose and why.
    ///
    /// Never another device than the one named: an absent one is [`Error::DeviceUnavailable`].
    pub(crate) fn open(self) -> Result<AnyDevice, Failure> {
        match self {
            DeviceChoice::Auto => Self::first_available(),
            named => named.open_named().map_err(Failure::from),
        }
    }

    /// Opens the device of this name, or says why it cannot be had.
    pub(crate) fn open_named(self) -> Result<AnyDevice, Error> {
        match self {
            DeviceChoice::Auto => Err(Error::Usage("auto is no device's name")),
            DeviceChoice::Cpu => Ok(AnyDevice::Cpu(CpuDevice::default())),
            DeviceChoice::Wgpu | DeviceChoice::Cuda(_) | DeviceChoice::Rocm(_) => Err(Error::DeviceUnavailable {
                device: self.id(),
                remedy: format!("this version has no {} device yet; use --device cpu", self.kind()),
            }),
        }
    }

    fn first_available() -> Result<AnyDevice, Failure> {
        let mut absent = Vec::new();
        for choice in Self::ORDER {
            match choice.open_named() {
                Ok(device) => {
                    let why = match absent.is_empty() {
                        true => String::new(),
                        false => format!("; this version has no {} device yet", or_list(&absent)),
                    };
                    output::note(format!("--device auto chose {}{why}", device.info().id));
                    return Ok(device);
                }
                Err(_) => absent.push(choice.kind()),
            }
        }
        Err(Error::DeviceUnavailable { device: "auto".into(), remedy: "no device was found".into() }.into())
    }

    fn kind(self) -> &'static str {
        match self {
            DeviceChoice::Auto => "auto",
            DeviceChoice::Cpu => "cpu",
            DeviceChoice::Wgpu => "wgpu",
            DeviceChoice::Cuda(_) => "CUDA",
            DeviceChoice::Rocm(_) => "ROCm",
        }
    }
}

impl FromStr for DeviceChoice {
    type Err = String;

    /// Reads `auto`, `cpu`, `wgpu`, `cuda`, `cuda:N`, `rocm` or `rocm:N`; N is decimal without sign.
    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, number) = match text.split_once(':') {
            Some((kind, number)) => (kind, Some(number)),
            None => (text, None),
        };
        match (kind, number) {
            ("auto", None) => Ok(DeviceChoice::Auto),
            ("cpu", None) => Ok(DeviceChoice::Cpu),
            ("wgpu", None) => Ok(DeviceChoice::Wgpu),
            ("cuda", number) => device_number(number).map(DeviceChoice::Cuda),
            ("rocm", number) => device_number(number).map(DeviceChoice::Rocm),
            _ => Err("expected auto, cpu, wgpu, cuda[:N] or rocm[:N]".into()),
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

fn or_list(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [one] => (*one).into(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_as_they_are_written() {
        for choice in DeviceChoice::ORDER.into_iter().chain([DeviceChoice::Auto, DeviceChoice::Cuda(7)]) {
            assert_eq!(choice.id().parse(), Ok(choice));
        }
        assert_eq!("cuda".parse(), Ok(DeviceChoice::Cuda(0)));
        for bad in
            ["", "gpu", "CPU", "cpu:0", "wgpu:1", "cuda:", "cuda:x", "cuda:-1", "cuda:+1", "rocm:4294967296", "auto:0"]
        {
            assert!(bad.parse::<DeviceChoice>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn only_the_device_asked_for_is_opened() {
        assert_eq!(DeviceChoice::Cpu.open().expect("cpu").info().id, "cpu");
        for absent in [DeviceChoice::Wgpu, DeviceChoice::Cuda(0), DeviceChoice::Rocm(3)] {
            assert!(matches!(absent.open_named(), Err(Error::DeviceUnavailable { .. })));
        }
    }
}
