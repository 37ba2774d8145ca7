//! `pqc-gpu serve`: the device's end of a channel, for hosts that come over TCP or WebSockets.

mod client;
mod memory;
mod server;
mod table;
mod websocket;

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use pqc_gpu_driver::{
    Identity, SystemClock, TrustPolicy,
    attest::{DriverAttestation, MAX_ATTESTATION_BYTES},
    channel::{DeviceConfig, chunk::sealed_bytes, suite::SUITE_NAME},
    device::Device,
    tensor::MAX_TENSOR_BYTES,
    transport::Limits,
};
use serde::Serialize;

use crate::{
    choose::{DeviceArgument, on_device},
    failure::Failure,
    files,
    keys::{self, Trust},
    output::{self, shown},
};
use client::Terms;
use memory::Memory;
use server::Server;
use table::Table;

const AFTER: &str = "\
Every tensor that a host sends is opened on the device, sealed there and sent back. `pqc-gpu transfer --connect` is such
a host; docs/protocol.md says what crosses. The address is printed on standard error; the summary, with --json as one JSON
object, when the server ends. SIGINT and SIGTERM end it: nobody new is let in, sessions get the time of --grace to end by
themselves and are then closed with CLOSE. A second signal ends it at once.

Examples:
  pqc-gpu serve --listen 127.0.0.1:7700 --identity gpu.pem --trust alice.pub.pem
      One host, known by its key.
  pqc-gpu serve --listen [::]:7700 --identity gpu.pem --trust alice.pub.pem --trust bob.pub.pem --max-clients 8
      Two hosts, from anywhere.
  pqc-gpu serve --listen 127.0.0.1:0 --identity gpu.pem --trust any --once
      Any host, one connection; the exit code is what became of it.
  pqc-gpu serve --websocket 127.0.0.1:7701 --identity gpu.pem --trust page.pub.pem --allow-origin https://models.example
      Pages of one origin, which still prove a key. Behind a TLS proxy for wss.";

/// Be the device's end: open hosts' tensors on this machine's device and send them back
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub(crate) struct Arguments {
    /// Address and port to listen on; port 0 takes a free one
    #[arg(long, value_name = "ADDR", required_unless_present = "websocket")]
    listen: Option<String>,
    /// Address and port to listen on for WebSockets, as browsers' pages open them, instead
    #[arg(long, value_name = "ADDR", conflicts_with = "listen")]
    websocket: Option<String>,
    /// With --websocket: refuse pages of other origins than this, such as https://models.example; several times for several
    #[arg(long, value_name = "ORIGIN", requires = "websocket")]
    allow_origin: Vec<String>,
    /// This end's secret key file
    #[arg(long, value_name = "ID.pem")]
    identity: PathBuf,
    /// A host's public key file, several times for several hosts; or `any`, which accepts whoever connects
    #[arg(long, value_name = "KEY.pub.pem|any", required = true, value_parser = |text: &str| Ok::<_, String>(Trust::from(text)))]
    trust: Vec<Trust>,
    #[command(flatten)]
    device: DeviceArgument,
    /// A driver attestation to present to hosts
    #[arg(long, value_name = "A.cose")]
    attestation: Option<PathBuf>,
    /// Sessions at once
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=4096))]
    max_clients: u16,
    /// Connections at once whose handshake is not done; one address gets half of them
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=4096))]
    max_half_open: u16,
    /// Seconds for a whole handshake
    #[arg(long, value_name = "S", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=3600))]
    handshake_timeout: u32,
    /// Seconds to wait for a record, or for one to be taken; and one more for every 64 KiB of it
    #[arg(long, value_name = "S", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=86400))]
    idle_timeout: u32,
    /// The largest tensor; on the device it takes up to three times that
    #[arg(long, value_name = "BYTES", default_value_t = 4 << 30)]
    max_tensor: u64,
    /// The device's memory for all clients' tensors together; who wants more waits, for --idle-timeout at most. Without it
    /// 16 GiB, or room for one tensor of --max-tensor if that is more
    #[arg(long, value_name = "BYTES")]
    max_memory: Option<u64>,
    /// The most bytes of tensors in one session
    #[arg(long, value_name = "BYTES", default_value_t = u64::MAX, hide_default_value = true)]
    max_session: u64,
    /// The most records in one session
    #[arg(long, value_name = "N", default_value_t = u64::MAX, hide_default_value = true)]
    max_records: u64,
    /// Update this end's key before every N-th tensor, rather than only when it is used up
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    update_key_every: Option<u64>,
    /// Seconds that sessions have to end by themselves after a signal
    #[arg(long, value_name = "S", default_value_t = 3, value_parser = clap::value_parser!(u32).range(0..=3600))]
    grace: u32,
    /// Serve one connection, then end; the exit code is what became of it
    #[arg(long)]
    once: bool,
    /// Print one JSON object at the end
    #[arg(long)]
    json: bool,
}

const DEFAULT_MEMORY: u64 = 16 << 30;

/// The longest lifetime a host may ask for.
const MAX_TTL_SECONDS: u32 = 86_400;

#[derive(Clone, Serialize)]
struct Report {
    address: String,
    identity: String,
    device: String,
    suite: &'static str,
    trust: &'static str,
    /// Sessions whose handshake was done.
    clients: u64,
    /// Connections that had no place or whose handshake failed.
    refused: u64,
    /// Sessions that ended other than by CLOSE.
    failed: u64,
    tensors: u64,
    bytes: u64,
}

impl Arguments {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let identity = Arc::new(keys::identity(&self.identity)?);
        let trust = keys::trust(&self.trust)?;
        let attestation = match &self.attestation {
            None => Vec::new(),
            Some(path) => {
                let bytes = files::read(path, MAX_ATTESTATION_BYTES as u64)?;
                DriverAttestation::decode(&bytes)
                    .map_err(|error| Failure::usage(format!("cannot use {}: {error}", shown(path))))?;
                bytes
            }
        };
        let device = self.device.device.open()?;
        on_device!(device, device => self.serve(device, identity, trust, attestation))
    }

    fn serve<D: Device + Send + Sync + 'static>(
        &self,
        device: D,
        identity: Arc<Identity>,
        trust: TrustPolicy,
        attestation: Vec<u8>,
    ) -> Result<(), Failure> {
        let memory = self.memory()?;
        let listener = TcpListener::bind(self.address()).map_err(|error| self.cannot_listen(&error))?;
        let address = listener.local_addr().map_err(|error| self.cannot_listen(&error))?;
        let any = matches!(trust, TrustPolicy::AcceptAny);
        let limits = Limits {
            max_tensor_bytes: self.max_tensor,
            max_records: self.max_records,
            max_session_bytes: self.max_session,
        };
        let report = Report {
            address: address.to_string(),
            identity: identity.public_key().key_id().did(),
            device: device.info().id.clone(),
            suite: SUITE_NAME,
            trust: if any { "any" } else { "pinned" },
            clients: 0,
            refused: 0,
            failed: 0,
            tensors: 0,
            bytes: 0,
        };
        let config = DeviceConfig {
            identity,
            label: device.info().id.clone(),
            trust,
            max_ttl_seconds: MAX_TTL_SECONDS,
            attestation,
            clock: Arc::new(SystemClock::default()),
        };
        let seconds = |seconds: u32| Duration::from_secs(seconds.into());
        let terms = Terms { limits, idle: seconds(self.idle_timeout), update_key_every: self.update_key_every, memory };
        let table = Table::new(self.max_clients.into(), self.max_half_open.into());
        let websocket = self.websocket.is_some().then(|| self.allow_origin.clone());
        let server =
            Arc::new(Server::new(device, table, config, websocket, terms, seconds(self.handshake_timeout), report));
        stop_on_signal(&server, address)?;
        if any {
            output::note(
                "warning: --trust any: whoever connects is served; nothing is promised against an active attacker",
            );
        }
        output::note(format!("listening on {address}"));
        let outcome = if self.once { server.once(&listener) } else { server.accept_all(&listener) };
        server.table.stop();
        drop(listener);
        server.table.drain(seconds(self.grace));
        let report = server.report();
        if self.json {
            output::json(&report)?
        } else {
            report.print()?
        }
        outcome
    }

    fn address(&self) -> &str {
        // One of the two is there.
        self.listen.as_deref().or(self.websocket.as_deref()).unwrap_or_default()
    }

    /// What clients share. Every tensor that is allowed must fit once.
    fn memory(&self) -> Result<Memory, Failure> {
        let most = client::device_bytes(sealed_bytes(self.max_tensor.min(MAX_TENSOR_BYTES)));
        match self.max_memory {
            None => Ok(Memory::new(DEFAULT_MEMORY.max(most))),
            Some(bytes) if bytes >= most => Ok(Memory::new(bytes)),
            Some(_) => Err(Failure::usage(format!(
                "--max-memory has no room for one tensor of --max-tensor, which takes {most} bytes: sealed, opened and sealed \
                 again; raise the one or lower the other"
            ))),
        }
    }

    fn cannot_listen(&self, error: &std::io::Error) -> Failure {
        use std::io::ErrorKind::{AddrInUse, AddrNotAvailable, PermissionDenied};
        let (listen, why) = (self.address(), crate::failure::reason(error));
        match error.kind() {
            AddrInUse => Failure::other(format!("cannot listen on {listen}: {why}; choose another port, or port 0")),
            AddrNotAvailable | PermissionDenied => Failure::other(format!("cannot listen on {listen}: {why}")),
            _ => Failure::usage(format!("cannot listen on {listen}: {why}; give an address such as 127.0.0.1:7700")),
        }
    }
}

/// The first signal stops the server, the second ends the program.
fn stop_on_signal<D: Send + Sync + 'static>(server: &Arc<Server<D>>, address: SocketAddr) -> Result<(), Failure> {
    let (server, signalled) = (Arc::clone(server), AtomicBool::new(false));
    let handler = move || {
        if signalled.swap(true, Ordering::Relaxed) {
            std::process::exit(4);
        }
        server.table.stop();
        // Nothing else wakes a thread that waits for connections.
        let local = match address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            ip => ip,
        };
        let _ = TcpStream::connect_timeout(&(local, address.port()).into(), Duration::from_secs(1));
    };
    ctrlc::set_handler(handler).map_err(|error| Failure::other(format!("cannot wait for signals: {error}")))
}

impl Report {
    fn print(&self) -> Result<(), Failure> {
        let row = |name: &str, value: u64| [name.to_owned(), value.to_string()];
        let rows = [
            row("clients", self.clients),
            row("refused", self.refused),
            row("failed", self.failed),
            row("tensors", self.tensors),
            row("bytes", self.bytes),
        ];
        output::table(["served on", &self.address], &rows)
    }
}
