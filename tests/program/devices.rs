//! `devices`, `--help`, `--version` and `--device`.

use std::process::{Command, Stdio};

use super::support::{Run, run};

/// Whether there is a GPU that wgpu reaches, so that `auto` and `wgpu` mean it.
pub(crate) fn has_gpu() -> bool {
    let listing = run(&["devices", "--json"]).json();
    let mut devices = listing["devices"].as_array().expect("a list").iter();
    devices.any(|device| device["id"] == "wgpu" && device["available"] == true)
}

/// What `auto` has to choose.
pub(crate) fn first_gpu() -> String {
    let listing = run(&["devices", "--json"]).json();
    let mut devices = listing["devices"].as_array().expect("a list").iter();
    let first = devices.find(|device| device["available"] == true && device["software"] == false);
    first.expect("the CPU is always there")["id"].as_str().expect("a string").to_owned()
}

#[test]
fn every_help_has_worked_examples() {
    let subcommands: [&[&str]; 13] = [
        &[],
        &["devices"],
        &["seal"],
        &["inspect"],
        &["verify"],
        &["open"],
        &["load"],
        &["rewrap"],
        &["kat"],
        &["identity"],
        &["identity", "new"],
        &["identity", "show"],
        &["identity", "import"],
    ];
    for subcommand in subcommands {
        let help = run(&[subcommand, &["--help"]].concat());
        assert_eq!((help.code, help.stderr.as_str()), (0, ""));
        let examples = help.stdout.split("Examples:").nth(1).unwrap_or_else(|| panic!("{subcommand:?}: {help:?}"));
        assert!(examples.matches("pqc-gpu ").count() >= 2, "{subcommand:?}: {examples}");
    }
    let version = run(&["--version"]);
    assert_eq!((version.code, version.stdout), (0, format!("pqc-gpu {}\n", env!("CARGO_PKG_VERSION"))));
}

#[test]
fn wrong_calls_are_usage_errors() {
    let calls: [&[&str]; 9] = [
        &[],
        &["nothing"],
        &["devices", "--jsn"],
        &["kat"],
        &["kat", "f", "--device", "gpu"],
        &["kat", "f", "--device", "cuda:x"],
        &["kat", "f", "--device", "cpu:0"],
        &["kat", "f", "--device", ""],
        &["identity", "new"],
    ];
    for call in calls {
        let run = run(call);
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{call:?}: {run:?}");
        assert!(!run.stderr.is_empty());
    }
}

#[test]
fn devices_promise_no_more_than_holds() {
    let listing = run(&["devices", "--json"]);
    assert_eq!((listing.code, listing.stderr.as_str()), (0, ""));
    let json = listing.json();
    let devices = json["devices"].as_array().expect("an array");
    let ids: Vec<_> = devices.iter().map(|device| device["id"].as_str().expect("a string")).collect();
    assert_eq!((ids[0], ids[ids.len() - 1]), ("cuda:0", "cpu"));
    let rocm = ids.iter().position(|&id| id == "rocm:0").expect("is listed");
    assert!(ids[..rocm].iter().all(|id| id.starts_with("cuda:")), "{ids:?}");
    assert_eq!(ids[rocm + 1], "wgpu");
    assert!(ids[rocm + 1..ids.len() - 1].iter().all(|id| id.starts_with("wgpu")), "{ids:?}");
    for device in devices {
        let available = device["available"].as_bool().expect("a boolean");
        assert_eq!(available, device["reason"].is_null());
        assert_eq!(available, device["promise"].is_string());
        if device["id"] != "cpu" && device["software"] == true {
            assert!(device["bus"].as_str().expect("a string").contains("no GPU"), "{device}");
        }
    }
    let cpu = &devices[devices.len() - 1];
    assert_eq!(cpu["available"], true);
    assert_eq!(
        cpu["promise"],
        "nobody on network, CDN, disk or page cache reads or alters a tensor between sealing and the device"
    );
    assert_eq!(cpu["mode"], "every mode, between endpoints that pin each other");
    assert!(cpu["session_key"].as_str().expect("a string").starts_with("host-held"));
    assert_eq!(cpu["software"], false);
    assert!(cpu["max_buffer_bytes"].as_u64() > Some(1 << 30));

    let table = run(&["devices"]);
    assert_eq!(table.code, 0);
    for needle in ["wgpu", "--device cpu", "nobody on network", "host-held", "not promised"] {
        assert!(table.stdout.contains(needle), "{needle}: {table:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_machine_without_a_desktop_session_is_no_error() {
    let listing = Command::new(env!("CARGO_BIN_EXE_pqc-gpu"))
        .args(["devices", "--json"])
        .env_remove("XDG_RUNTIME_DIR")
        .output()
        .expect("the program starts");
    let run = Run::of(listing);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run:?}");
}

#[cfg(unix)]
#[test]
fn a_reader_that_goes_away_is_no_failure() {
    for arguments in [&["devices"][..], &["devices", "--json"], &["--help"]] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let output = Command::new(env!("CARGO_BIN_EXE_pqc-gpu"))
            .args(arguments)
            .stdout(writer)
            .stderr(Stdio::piped())
            .output()
            .expect("the program starts");
        let run = Run::of(output);
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{arguments:?}");
    }
}
