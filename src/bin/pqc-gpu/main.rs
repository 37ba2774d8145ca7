//! `pqc-gpu`: the library's program. Each subcommand has a file of its own.
//!
//! Exit codes: 0 done; 1 verification or authentication failed; 2 usage or unreadable input; 3 the device asked for is
//! not available; 4 anything else.

#[cfg(feature = "wgpu")]
mod adapters;
mod bench;
mod choose;
mod devices;
mod driver;
mod failure;
mod files;
mod identity;
mod kat;
mod keys;
mod model;
mod output;
#[cfg(feature = "wgpu")]
mod quiet;
mod remote;
mod sealed;
mod serve;
mod tamper;
mod timed;
mod transfer;
mod wire;

use std::process::ExitCode;

use clap::Parser;

use failure::Failure;

const AFTER: &str = "\
Examples:
  pqc-gpu transfer
      The main job: a real model through a real channel to a device and back, every tensor verified.
  pqc-gpu transfer --tamper ciphertext
      The same with an attacker on the wire.
  pqc-gpu serve --listen 127.0.0.1:7700 --identity gpu.pem --trust alice.pub.pem
      The device's end for hosts elsewhere, which run pqc-gpu transfer --connect.
  pqc-gpu seal model.safetensors --to alice.pub.pem --sign-with publisher.pem -o model.pqgs
      A model sealed once, for its recipients' devices to open.
  pqc-gpu load model.pqgs --identity alice.pem --trust publisher.pub.pem
      Opens it on a device; from a disk, a web server or S3.
  pqc-gpu devices
      What can be used here, and what its use promises.
  pqc-gpu identity new alice
      Keys to sign with and to receive with: alice.pem (secret) and alice.pub.pem.
  pqc-gpu driver verify nvidia.ko --attestation nvidia.cose --policy policy.toml
      Whether a trusted signer vouches for a driver module.
  pqc-gpu kat aes_gcm_test.json --device cpu
      Wycheproof's known answers against the device's kernels.

Exit codes:
  0  done
  1  verification or authentication failed
  2  usage or unreadable input
  3  the device asked for is not available
  4  anything else";

/// Move tensors between CPU and GPU as ciphertext only: ML-KEM-768, ML-DSA-65, AES-256-GCM, opened on the device
#[derive(Debug, Parser)]
#[command(name = "pqc-gpu", version, after_help = AFTER)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Devices(devices::Arguments),
    Transfer(Box<transfer::Arguments>),
    Serve(Box<serve::Arguments>),
    Seal(sealed::seal::Arguments),
    Inspect(sealed::inspect::Arguments),
    Verify(sealed::verify::Arguments),
    Open(sealed::open::Arguments),
    Load(sealed::load::Arguments),
    Rewrap(sealed::rewrap::Arguments),
    Bench(bench::Arguments),
    Kat(kat::Arguments),
    Identity(identity::Arguments),
    Driver(driver::Arguments),
}

impl Command {
    fn run(self) -> Result<(), Failure> {
        match self {
            Command::Devices(arguments) => arguments.run(),
            Command::Transfer(arguments) => arguments.run(),
            Command::Serve(arguments) => arguments.run(),
            Command::Seal(arguments) => arguments.run(),
            Command::Inspect(arguments) => arguments.run(),
            Command::Verify(arguments) => arguments.run(),
            Command::Open(arguments) => arguments.run(),
            Command::Load(arguments) => arguments.run(),
            Command::Rewrap(arguments) => arguments.run(),
            Command::Bench(arguments) => arguments.run(),
            Command::Kat(arguments) => arguments.run(),
            Command::Identity(arguments) => arguments.run(),
            Command::Driver(arguments) => arguments.run(),
        }
    }
}

fn main() -> ExitCode {
    let command_line = match CommandLine::try_parse() {
        Ok(command_line) => command_line,
        Err(answer) => {
            // Help and version are answers too, for standard output. A reader that went away is no failure.
            let _ = answer.print();
            return if answer.use_stderr() { ExitCode::from(failure::Kind::Usage as u8) } else { ExitCode::SUCCESS };
        }
    };
    match command_line.command.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output::note(failure.to_string());
            failure.exit_code()
        }
    }
}
