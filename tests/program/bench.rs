//! `bench`: every figure beside its counterpart, what could not be measured, the chart.

use std::fs;

use serde_json::Value;

use super::support::{run, software_adapter};

const BESIDE: [&str; 10] = [
    "host seal, one core",
    "host seal, all cores",
    "sealed upload and open, single",
    "host seal, upload and open, single",
    "sealed upload and open, sustained",
    "host seal, upload and open, sustained",
    "device seal, download",
    "device seal, download, host open",
    "sealed file's tensor, root compared",
    "4 KiB sealed upload and open",
];
const KERNELS: [&str; 5] = [
    "verify kernel",
    "decrypt kernel",
    "open: verify, judge and decrypt kernels",
    "seal: encrypt and tag kernels",
    "root: hash and compare kernels",
];

#[test]
fn the_cpu_device_is_measured_beside_the_plain_path() {
    let run = run(&["bench", "--device", "cpu", "--size", "1", "--json"]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run:?}");
    let report = run.json();
    assert_eq!((&report["device"], &report["software"]), (&"cpu".into(), &false.into()));
    figures(&report);
    assert_eq!(report["not_measured"][0]["what"], "kernels alone");
    assert!(KERNELS.iter().all(|kernel| row(&report, kernel).is_none()), "{report}");
}

#[test]
fn a_wgpu_adapter_is_measured_and_drawn() {
    let Some(adapter) = software_adapter() else { return };
    let folder = tempfile::tempdir().expect("folder");
    let chart = folder.path().join("chart.svg");
    let path = chart.to_str().expect("UTF-8");
    let json = folder.path().join("bench.json");
    let written = json.to_str().expect("UTF-8");
    let run = run(&["bench", "--device", adapter, "--size", "1", "--output", written, "--chart", path]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run:?}");
    assert!(run.stdout.contains("SOFTWARE") && run.stdout.contains("sealed upload and open, sustained"), "{run:?}");
    let report: Value = serde_json::from_slice(&fs::read(json).expect("reads")).expect("JSON");
    assert_eq!((&report["device"], &report["software"]), (&adapter.into(), &true.into()));
    figures(&report);
    // Kernels have figures, or it is told why not.
    let timed = KERNELS.map(|kernel| row(&report, kernel).is_some());
    assert_eq!(timed, [report["not_measured"].as_array().expect("a list").is_empty(); 5], "{report}");
    if let (Some(verify), Some(open)) = (row(&report, KERNELS[0]), row(&report, KERNELS[2])) {
        assert!(open["seconds"].as_f64() > verify["seconds"].as_f64(), "{report}");
        // The device cannot have spent more time in them than went by.
        let whole = row(&report, "sealed upload and open, single").expect("a row");
        assert!(open["seconds"].as_f64() < whole["seconds"].as_f64().map(|seconds| seconds * 3.0), "{report}");
    }
    let drawn = fs::read_to_string(chart).expect("reads");
    assert!(drawn.starts_with("<svg ") && drawn.ends_with("</svg>\n"));
    assert_eq!(drawn.matches("<rect ").count(), 1 + report["rows"].as_array().expect("rows").len());
    assert!(drawn.contains("no GPU's figures") && drawn.contains("sealed upload and open, sustained"), "{drawn}");
}

#[test]
fn a_chart_that_cannot_be_written_is_told_before_anything_is_measured() {
    // No device is opened for it either.
    run(&["bench", "--device", "cuda", "--chart", "/nowhere/at/all.svg"]).fails_with(2);
}

#[track_caller]
fn figures(report: &Value) {
    for what in BESIDE {
        let row = row(report, what).unwrap_or_else(|| panic!("{what}: {report}"));
        for figure in ["seconds", "ratio"] {
            assert!(row[figure].as_f64() > Some(0.0), "{row}");
        }
        assert!(row["beside"].is_string() && row["runs"].as_u64() > Some(0), "{row}");
    }
    assert_eq!(row(report, "sealed upload and open, sustained").expect("a row")["tensors"], 8);
    assert!(row(report, "handshake, both ends, fresh identities").is_some());
    assert!(report["peak_host_bytes"].as_u64() > Some(1 << 20), "{report}");
}

fn row<'a>(report: &'a Value, what: &str) -> Option<&'a Value> {
    report["rows"].as_array().expect("rows").iter().find(|row| row["what"] == what)
}
