//! `transfer --connect`: the host's end, over TCP.

mod exchange;

use std::{
    net::{TcpStream, ToSocketAddrs},
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use pqc_gpu_driver::{
    Identity, SystemClock, TrustPolicy, block_on,
    channel::{HostConfig, message::SessionPolicy},
    transport::{self, Blocking, PIECE_BYTES},
};

use crate::{
    driver::presented,
    failure::{Failure, reason},
    keys::{self, Trust},
    model::Model,
    output,
    timed::{Deadline, Timed},
    transfer::{Report, rate},
};
use exchange::Exchange;

/// What `transfer` takes to reach a device's end elsewhere.
#[derive(Debug, clap::Args)]
pub(crate) struct Remote {
    /// Send to `pqc-gpu serve` at this address, whose device opens the tensors, instead of a device of this machine
    #[arg(long, value_name = "ADDR", requires = "trust", conflicts_with_all = ["device", "tamper"])]
    pub(crate) connect: Option<String>,
    /// The device end's public key file; or `any`, which accepts whoever answers
    #[arg(long, value_name = "KEY.pub.pem|any", requires = "connect", value_parser = |text: &str| Ok::<_, String>(Trust::from(text)))]
    trust: Vec<Trust>,
    /// This end's secret key file; without it a fresh identity, which only a server with --trust any accepts
    #[arg(long, value_name = "ID.pem", requires = "connect")]
    identity: Option<PathBuf>,
    /// Accept only a device end that presents a driver attestation which this policy accepts
    #[arg(long, value_name = "POLICY.toml", requires = "connect")]
    policy: Option<PathBuf>,
    /// The driver module that the attestation must be about; without it any that the policy accepts
    #[arg(long, value_name = "FILE", requires = "policy")]
    module: Option<PathBuf>,
    /// Seconds without a byte, the device's own work included, after which the device end counts as gone
    #[arg(long, value_name = "S", default_value_t = 60, requires = "connect", value_parser = clap::value_parser!(u32).range(1..=86400))]
    timeout: u32,
}

impl Remote {
    /// Sends the model there, and compares what comes back.
    pub(crate) fn run(
        &self,
        address: &str,
        model: &Model,
        update_key_every: Option<u64>,
        report: &mut Report,
    ) -> Result<(), Failure> {
        let trust = keys::trust(&self.trust)?;
        let identity = match &self.identity {
            Some(path) => keys::identity(path)?,
            None => {
                output::note("no --identity: a fresh one is used, which only a server with --trust any accepts");
                Identity::generate()?
            }
        };
        if matches!(trust, TrustPolicy::AcceptAny) {
            output::note(
                "warning: --trust any: whoever answers is believed; nothing is promised against an active attacker",
            );
        }
        let check =
            self.policy.as_deref().map(|policy| presented::check(policy, self.module.as_deref())).transpose()?;
        let timeout = Duration::from_secs(self.timeout.into());
        let stream = Arc::new(connect(address, timeout)?);
        let config = HostConfig {
            identity: Arc::new(identity),
            label: "pqc-gpu transfer".into(),
            trust,
            // Whoever answers is judged by its key, so that the error can say who it was.
            expected_device: None,
            policy: SessionPolicy::default(),
            attestation_check: check,
            clock: Arc::new(SystemClock::default()),
        };
        let handshake = Timed::new(Arc::clone(&stream), Deadline::absolute(timeout));
        let session = block_on(transport::connect(&mut Blocking(handshake), config))?;
        report.established = true;
        report.peer = Some(session.peer().key_id().did());
        report.device = "remote".into();
        // A sealed piece on its way out, one on its way in, and that one opened.
        report.peak_host_bytes = 3 * PIECE_BYTES as u64;

        let stream = Timed::new(Arc::clone(&stream), Deadline::idle(timeout));
        let exchange = Exchange { session: &session, model, stream, update_key_every };
        let started = Instant::now();
        let sealing = exchange.run(&mut report.verified)?;
        report.sealed_upload_gbps = rate(report.bytes, started.elapsed().as_secs_f64());
        report.host_seal_gbps = rate(report.bytes, sealing.as_secs_f64());
        Ok(())
    }
}

fn connect(address: &str, timeout: Duration) -> Result<TcpStream, Failure> {
    let addresses = address.to_socket_addrs().map_err(|error| {
        Failure::usage(format!("cannot use {address}: {}; give one such as 127.0.0.1:7700", reason(&error)))
    })?;
    let mut failure = Failure::usage(format!("{address} is no address"));
    for candidate in addresses {
        match TcpStream::connect_timeout(&candidate, timeout) {
            Ok(stream) => {
                // Without it, small records wait for the acknowledgement of those before them.
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Err(error) => {
                let why = reason(&error);
                failure =
                    Failure::other(format!("cannot connect to {candidate}: {why}; does pqc-gpu serve run there?"));
            }
        }
    }
    Err(failure)
}
