//! Running the program and reading what it printed.

use std::process::{Command, Output};

use serde_json::Value;

/// What one run of the program left.
pub(crate) struct Run {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

/// Runs the program with these arguments.
pub(crate) fn run<A: AsRef<std::ffi::OsStr>>(arguments: &[A]) -> Run {
    let output = Command::new(env!("CARGO_BIN_EXE_pqc-gpu")).args(arguments).output().expect("the program starts");
    Run::of(output)
}

/// A software adapter that stands in for a GPU, as `--device` names it. None, told on standard output, where it is missing.
pub(crate) fn software_adapter() -> Option<&'static str> {
    const ID: &str = "wgpu:llvmpipe";
    let listing = run(&["devices", "--json"]).json();
    let there = listing["devices"].as_array().expect("a list").iter().any(|device| device["id"] == ID);
    if !there {
        let why = "wgpu finds no llvmpipe; on Debian install mesa-vulkan-drivers";
        assert!(std::env::var_os("PQC_GPU_REQUIRE_DEVICES").is_none(), "PQC_GPU_REQUIRE_DEVICES is set, and {why}");
        println!("skipped: {why}");
    }
    there.then_some(ID)
}

impl Run {
    pub(crate) fn of(output: Output) -> Self {
        let run = Run {
            code: output.status.code().expect("no signal ended it"),
            stdout: String::from_utf8(output.stdout).expect("UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("UTF-8"),
        };
        assert!(!run.stderr.contains("panicked"), "{}", run.stderr);
        run
    }

    /// The one JSON object on standard output.
    pub(crate) fn json(&self) -> Value {
        let value: Value = serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("{e}: {self:?}"));
        assert!(value.is_object(), "{value}");
        value
    }

    /// Asserts an exit code with exactly one line on standard error and nothing on standard output.
    #[track_caller]
    pub(crate) fn fails_with(&self, code: i32) -> &str {
        assert_eq!(self.code, code, "{self:?}");
        assert_eq!(self.stdout, "", "{self:?}");
        assert!(self.stderr.starts_with("pqc-gpu: ") && self.stderr.ends_with('\n'), "{self:?}");
        assert_eq!(self.stderr.lines().count(), 1, "{self:?}");
        &self.stderr
    }
}

impl std::fmt::Debug for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "exit {}\n--- out\n{}--- err\n{}", self.code, self.stdout, self.stderr)
    }
}
