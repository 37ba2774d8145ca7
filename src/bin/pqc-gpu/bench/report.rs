//! What was measured, as JSON and as a table.

use serde::Serialize;

use super::clock::Measured;
use crate::{failure::Failure, output};

#[derive(Serialize)]
pub(super) struct Report {
    pub(super) device: String,
    pub(super) name: String,
    pub(super) driver: String,
    pub(super) software: bool,
    pub(super) threads: usize,
    pub(super) in_flight: usize,
    pub(super) rows: Vec<Row>,
    pub(super) not_measured: Vec<NotMeasured>,
    /// The most host memory that held tensor bytes at once, as `transfer` counts it.
    pub(super) peak_host_bytes: u64,
}

/// What the figures of a section are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Section {
    Host,
    UploadSingle,
    UploadSustained,
    Download,
    SealedFiles,
    Kernels,
    Times,
}

impl Section {
    pub(super) const ALL: [Section; 7] = [
        Section::Host,
        Section::UploadSingle,
        Section::UploadSustained,
        Section::Download,
        Section::SealedFiles,
        Section::Kernels,
        Section::Times,
    ];

    pub(super) const fn title(self) -> &'static str {
        match self {
            Section::Host => "Sealing on the host",
            Section::UploadSingle => "To the device, one tensor",
            Section::UploadSustained => "To the device, sustained",
            Section::Download => "From the device",
            Section::SealedFiles => "Tensors of sealed files, one at a time",
            Section::Kernels => "Kernels alone, by the device's clock",
            Section::Times => "Times",
        }
    }
}

#[derive(Serialize)]
pub(super) struct Row {
    pub(super) section: Section,
    pub(super) what: String,
    /// Of all tensors together.
    pub(super) bytes: u64,
    /// Tensors in flight.
    pub(super) tensors: usize,
    pub(super) seconds: f64,
    /// Of how many runs `seconds` is the median.
    pub(super) runs: usize,
    /// Gigabytes (10^9) of plaintext a second; none for what is not about bytes.
    pub(super) gbps: Option<f64>,
    pub(super) beside: Option<String>,
    pub(super) ratio: Option<f64>,
    /// There to be compared with: no sealing or opening of ours is in it.
    #[serde(skip)]
    pub(super) reference: bool,
}

/// A figure that cannot be had here, and why.
#[derive(Serialize)]
pub(super) struct NotMeasured {
    pub(super) what: &'static str,
    pub(super) why: &'static str,
}

impl Row {
    pub(super) fn time(what: &str, bytes: u64, measured: Measured) -> Self {
        let Measured { seconds, runs } = measured;
        Row {
            section: Section::Times,
            what: what.into(),
            bytes,
            tensors: 1,
            seconds,
            runs,
            gbps: None,
            beside: None,
            ratio: None,
            reference: false,
        }
    }

    pub(super) fn rate(
        section: Section,
        what: &str,
        bytes: u64,
        measured: Measured,
        beside: Option<(&str, Measured)>,
    ) -> Self {
        Row {
            section,
            gbps: Some(bytes as f64 / 1e9 / measured.seconds),
            ..Row::time(what, bytes, measured).beside(beside)
        }
    }

    /// Puts it in relation to another: above 1 it is quicker.
    pub(super) fn beside(self, beside: Option<(&str, Measured)>) -> Self {
        let ratio = beside.map(|(_, other)| other.seconds / self.seconds);
        Row { beside: beside.map(|(name, _)| name.into()), ratio, ..self }
    }

    pub(super) fn reference(self) -> Self {
        Row { reference: true, ..self }
    }

    /// Its size as people read it.
    pub(super) fn size(&self) -> String {
        let each = self.bytes / self.tensors as u64;
        let size = match each {
            0 => return "-".into(),
            each if each < 1 << 20 => format!("{} KiB", each >> 10),
            each => format!("{} MiB", each >> 20),
        };
        if self.tensors > 1 { format!("{} × {size}", self.tensors) } else { size }
    }

    /// Its time as people read it.
    pub(super) fn duration(&self) -> String {
        match self.seconds {
            s if s < 1e-3 => format!("{:.1} µs", s * 1e6),
            s => format!("{:.2} ms", s * 1e3),
        }
    }

    fn cells(&self) -> [String; 6] {
        let number = |value: Option<f64>| value.map_or("-".to_owned(), output::significant);
        [
            self.what.clone(),
            self.size(),
            self.duration(),
            number(self.gbps),
            number(self.ratio),
            self.beside.clone().unwrap_or_default(),
        ]
    }
}

impl Report {
    /// Which device the figures are of, and what they cannot say.
    pub(super) fn heading(&self) -> String {
        let software =
            if self.software { "; SOFTWARE, a CPU runs the shaders: these are no GPU's figures" } else { "" };
        format!("{} ({}; {}{software})", self.device, self.name, self.driver)
    }

    pub(super) fn print(&self) -> Result<(), Failure> {
        output::lines([self.heading(), String::new()])?;
        let rows: Vec<_> = self.rows.iter().map(Row::cells).collect();
        output::table(["what", "size", "time", "GB/s", "ratio", "beside"], &rows)?;
        let absent = self.not_measured.iter().map(|absent| format!("{}: not measured: {}", absent.what, absent.why));
        output::lines([String::new()].into_iter().chain(absent))?;
        let mib = self.peak_host_bytes as f64 / f64::from(1 << 20);
        output::lines([format!("peak host memory with tensor bytes in it: {mib:.1} MiB")])
    }
}
