//! A server process, host processes, and a host in this process that does as it likes.

use std::{
    io::{BufRead, BufReader, Read},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use pqc_gpu_driver::{
    ChannelSession, Identity, SystemClock, TrustPolicy, block_on,
    channel::{HostConfig, message::SessionPolicy},
    transport::{self, Blocking},
};
use tempfile::TempDir;

use crate::support::{Run, run};

/// Longer than anything here takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A folder with the key files of a device's end, `gpu`, and two hosts, `alice` and `mallory`.
pub(crate) struct Keys(TempDir);

impl Keys {
    pub(crate) fn new() -> Self {
        let keys = Keys(tempfile::tempdir().unwrap());
        for name in ["gpu", "alice", "mallory"] {
            let identity = Identity::generate().unwrap();
            let private = keys.path(&format!("{name}.pem"));
            std::fs::write(&private, identity.to_pem().unwrap().as_bytes()).unwrap();
            std::fs::set_permissions(&private, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
            std::fs::write(keys.path(&format!("{name}.pub.pem")), identity.public().to_pem().unwrap()).unwrap();
        }
        keys
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    pub(crate) fn identity(&self, name: &str) -> Identity {
        Identity::from_pem(&std::fs::read_to_string(self.path(name)).unwrap()).unwrap()
    }

    /// What `alice` does to send a model to `gpu`, with these arguments beside.
    pub(crate) fn transfer(&self, address: SocketAddr, more: &[&str]) -> Run {
        let (address, trust, identity) = (address.to_string(), self.text("gpu.pub.pem"), self.text("alice.pem"));
        let mut arguments = vec!["transfer", "--connect", &address, "--trust", &trust, "--identity", &identity];
        arguments.extend(more);
        run(&arguments)
    }

    /// A host in this process, after its handshake.
    pub(crate) fn host(&self, address: SocketAddr, name: &str) -> (TcpStream, pqc_gpu_driver::Result<ChannelSession>) {
        let stream = connect(address);
        let config = HostConfig {
            identity: Arc::new(self.identity(name)),
            label: "test".into(),
            trust: TrustPolicy::pin(self.identity("gpu.pem").public_key().clone()),
            expected_device: None,
            policy: SessionPolicy::default(),
            attestation_check: None,
            clock: Arc::new(SystemClock::default()),
        };
        let session = block_on(transport::connect(&mut Blocking(&stream), config));
        (stream, session)
    }
}

/// A connection that gives up waiting before the test does.
pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE / 2)).unwrap();
    stream.set_write_timeout(Some(PATIENCE / 2)).unwrap();
    stream
}

/// Whether the other side closes the connection, and how long that takes. What it sends before is passed over.
pub(crate) fn closes(stream: &mut TcpStream) -> Duration {
    let started = Instant::now();
    let mut ignored = [0; 4096];
    loop {
        match stream.read(&mut ignored) {
            Ok(0) => return started.elapsed(),
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return started.elapsed(),
            Err(error) => panic!("it did not close: {error}"),
        }
    }
}

/// A running `pqc-gpu serve`, killed if the test ends before it.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
    told: Arc<Mutex<String>>,
    listener: Option<JoinHandle<()>>,
}

impl Server {
    /// `gpu`, which trusts `alice`, on the CPU device, with these arguments beside.
    pub(crate) fn start(keys: &Keys, more: &[&str]) -> Self {
        let (identity, trust) = (keys.text("gpu.pem"), keys.text("alice.pub.pem"));
        let mut arguments = vec!["--identity", &identity, "--device", "cpu", "--json"];
        if !more.contains(&"--trust") {
            arguments.extend(["--trust", &trust]);
        }
        arguments.extend(more);
        Self::start_with(&arguments)
    }

    pub(crate) fn start_with(arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_pqc-gpu"))
            .args(["serve", "--listen", "127.0.0.1:0"])
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut before = String::new();
        let address = loop {
            let line = lines.next().unwrap_or_else(|| panic!("it does not listen: {before}")).unwrap();
            before += &(line.clone() + "\n");
            if let Some(address) = line.strip_prefix("pqc-gpu: listening on ") {
                break address.parse().unwrap();
            }
        };
        let told = Arc::new(Mutex::new(before));
        let keep = Arc::clone(&told);
        let listener = thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                *keep.lock().unwrap() += &(line + "\n");
            }
        });
        Server { child, address, told, listener: Some(listener) }
    }

    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("sh").args(["-c", &format!("kill -{name} {}", self.child.id())]).status().unwrap();
        assert!(sent.success());
    }

    /// What it has said so far.
    pub(crate) fn told(&self) -> String {
        self.told.lock().unwrap().clone()
    }

    /// Waits until it has said this.
    #[track_caller]
    pub(crate) fn tells(&self, what: &str) {
        let started = Instant::now();
        while !self.told().contains(what) {
            assert!(started.elapsed() < PATIENCE, "{what}: {}", self.told());
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Ends it as an administrator would, and gives what it left.
    pub(crate) fn stop(self) -> Run {
        self.signal("TERM");
        self.end()
    }

    /// Waits for its end.
    pub(crate) fn end(mut self) -> Run {
        let started = Instant::now();
        let status = loop {
            match self.child.try_wait().unwrap() {
                Some(status) => break status,
                None if started.elapsed() > PATIENCE => panic!("it does not end: {}", self.told()),
                None => thread::sleep(Duration::from_millis(10)),
            }
        };
        let mut stdout = String::new();
        self.child.stdout.take().unwrap().read_to_string(&mut stdout).unwrap();
        self.listener.take().unwrap().join().unwrap();
        let stderr = self.told();
        assert!(!stderr.contains("panicked"), "{stderr}");
        Run { code: status.code().expect("no signal ended it"), stdout, stderr }
    }

    /// Resident memory in bytes, where the system tells.
    pub(crate) fn memory(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib << 10)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A model of these many bytes a tensor.
pub(crate) fn model(path: &Path, sizes: &[usize]) {
    use safetensors::{Dtype, tensor::TensorView};
    let bytes: Vec<u8> = (0..sizes.iter().max().copied().unwrap_or(0)).map(|i| (i * 31 % 251) as u8).collect();
    let tensors = sizes.iter().enumerate().map(|(index, &size)| {
        (format!("tensor {index:02}"), TensorView::new(Dtype::U8, vec![size], &bytes[..size]).unwrap())
    });
    safetensors::serialize_to_file(tensors, None, path).unwrap();
}
