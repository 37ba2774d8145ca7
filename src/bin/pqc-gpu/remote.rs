//! `transfer --connect`: the host's end, over TCP.

use std::{
    net::{Shutdown, TcpStream, ToSocketAddrs},
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use pqc_gpu_driver::{
    ChannelSession, Identity, SystemClock, TrustPolicy, block_on,
    channel::{HostConfig, message::SessionPolicy},
    transport::{self, Blocking, Limits, PIECE_BYTES, Receiver, Sender},
};

use crate::{
    driver::presented,
    failure::{Failure, reason},
    keys::{self, Trust},
    model::{Model, Tensor},
    output::{self, Progress},
    timed::{Deadline, Timed},
    transfer::{Report, rate},
};

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
        mut report: Report,
    ) -> Result<Report, Failure> {
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
        report.peer = Some(session.peer().key_id().did());
        report.device = "remote".into();

        let exchange = Exchange {
            session: &session,
            model,
            stream: Timed::new(Arc::clone(&stream), Deadline::idle(timeout)),
            update_key_every,
            first_failure: Mutex::new(None),
        };
        let started = Instant::now();
        let (verified, sealing) = exchange.run(&stream)?;
        report.verified = verified;
        report.sealed_upload_gbps = rate(report.bytes, started.elapsed().as_secs_f64());
        report.host_seal_gbps = rate(report.bytes, sealing.as_secs_f64());
        // A sealed piece on its way out, one on its way in, and that one opened.
        report.peak_host_bytes = 3 * PIECE_BYTES as u64;
        Ok(report)
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

struct Exchange<'a> {
    session: &'a ChannelSession,
    model: &'a Model,
    stream: Timed,
    update_key_every: Option<u64>,
    /// The cause; what the other direction fails of after it is its consequence.
    first_failure: Mutex<Option<Failure>>,
}

impl Exchange<'_> {
    /// Sends and receives at once: two ends that only write wait for each other for ever. Gives how many tensors came back as they
    /// went, and how long sealing took.
    fn run(&self, stream: &TcpStream) -> Result<(usize, Duration), Failure> {
        let failed = |failure: Failure| {
            self.first_failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(failure);
            // The other direction waits for the stream.
            let _ = stream.shutdown(Shutdown::Both);
        };
        let (sent, verified) = thread::scope(|scope| {
            let sending = scope.spawn(|| block_on(self.send()).map_err(failed).ok());
            let verified = block_on(self.receive()).map_err(failed).ok();
            (sending.join().ok().flatten(), verified)
        });
        match (sent, verified) {
            (Some(sealing), Some(verified)) => Ok((verified, sealing)),
            _ => {
                let failure = self.first_failure.lock().unwrap_or_else(PoisonError::into_inner).take();
                Err(failure.unwrap_or_else(|| Failure::other("a direction of the exchange ended for no reason")))
            }
        }
    }

    async fn send(&self) -> Result<Duration, Failure> {
        let mut sender = Sender::new(self.session, Blocking(self.stream.clone()));
        let mut sealing = Duration::ZERO;
        for (number, Tensor { metadata, bytes }) in (0u64..).zip(self.model.tensors()) {
            if self.update_key_every.is_some_and(|every| number > 0 && number.is_multiple_of(every)) {
                sender.update_key().await?;
            }
            let (started, written) = (Instant::now(), sender.stream().0.writing);
            sender.send(metadata, bytes).await?;
            sealing += started.elapsed().saturating_sub(sender.stream().0.writing - written);
        }
        sender.close().await?;
        Ok(sealing)
    }

    async fn receive(&self) -> Result<usize, Failure> {
        let mut progress = Progress::bytes(self.model.tensor_bytes());
        let mut receiver = Receiver::new(self.session, Blocking(self.stream.clone()), Limits::default());
        let total = self.model.tensors().len();
        for (number, Tensor { metadata, bytes }) in self.model.tensors().enumerate() {
            let Some(incoming) = receiver.next().await.map_err(Failure::from_peer)? else {
                return Err(Failure::other(format!(
                    "the device end closed the session after {number} of {total} tensors"
                )));
            };
            if incoming.metadata() != metadata {
                return Err(Failure::rejected(format!("another tensor than {} came back", metadata.name())));
            }
            // Compared as it comes: digests of a large tensor beforehand would keep the other end waiting for longer than it does.
            let (mut at, mut same) = (0, true);
            let take = |plaintext: &[u8]| {
                same &= bytes.get(at..at + plaintext.len()) == Some(plaintext);
                at += plaintext.len();
                progress.advance(plaintext.len() as u64);
                Ok(())
            };
            incoming.open(take).await.map_err(Failure::from_peer)?;
            if !same || at != bytes.len() {
                return Err(Failure::rejected(format!("tensor {} came back altered", metadata.name())));
            }
        }
        if receiver.next().await.map_err(Failure::from_peer)?.is_some() {
            return Err(Failure::rejected("more tensors came back than were sent"));
        }
        receiver.end().await.map_err(Failure::from_peer)?;
        Ok(total)
    }
}
