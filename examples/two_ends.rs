//! Two ends of a channel over TCP, each with an identity of its own that the other pins; a tensor crosses and is opened
//! into a device's memory.
//!
//! `cargo run --release --example two_ends`

use std::{
    net::{TcpListener, TcpStream},
    sync::Arc,
    thread,
};

use pqc_gpu_driver::{
    DType, Identity, SystemClock, TensorMetadata, TrustPolicy, block_on,
    channel::{DeviceConfig, HostConfig, message::SessionPolicy},
    device::CpuDevice,
    identity::PublicKey,
    transfer::{Destination, Transfer},
    transport::{self, Blocking, Limits, Receiver, Sender},
};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

fn main() -> Result<()> {
    // In production each end makes its identity once (`pqc-gpu identity new`) and is given the other's public key.
    let (host, device) = (Arc::new(Identity::generate()?), Arc::new(Identity::generate()?));
    let (host_key, device_key) = (host.public_key().clone(), device.public_key().clone());
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let device_end = thread::spawn(move || block_on(serve(&listener.accept()?.0, device, host_key)));

    block_on(send(&TcpStream::connect(address)?, host, device_key))?;
    device_end.join().map_err(|_| "the device's end panicked")?
}

/// The host's end: handshake, a tensor, CLOSE.
async fn send(stream: &TcpStream, identity: Arc<Identity>, device: PublicKey) -> Result<()> {
    let config = HostConfig {
        identity,
        label: "example host".into(),
        expected_device: Some(device.key_id()),
        trust: TrustPolicy::pin(device),
        policy: SessionPolicy::default(),
        attestation_check: None,
        clock: Arc::new(SystemClock::default()),
    };
    let session = transport::connect(&mut Blocking(stream), config).await?;
    println!("host: the device is {} ({})", session.peer().key_id(), session.peer().label());
    let weights: Vec<u8> = (0..100_000).map(|i| (i % 251) as u8).collect();
    let metadata = TensorMetadata::new("0", "weights", DType::U8, [100, 1000])?;
    let mut sender = Sender::new(&session, Blocking(stream));
    sender.send(&metadata, &weights).await?;
    sender.close().await?;
    Ok(())
}

/// The device's end: handshake, then tensors into device memory until CLOSE.
async fn serve(stream: &TcpStream, identity: Arc<Identity>, host: PublicKey) -> Result<()> {
    let config = DeviceConfig {
        identity,
        label: "example device".into(),
        trust: TrustPolicy::pin(host),
        max_ttl_seconds: 3600,
        attestation: Vec::new(),
        clock: Arc::new(SystemClock::default()),
    };
    let session = transport::accept(&mut Blocking(stream), config).await?;
    let limits = Limits { max_tensor_bytes: 1 << 30, ..Limits::default() };
    let mut receiver = Receiver::new(&session, Blocking(stream), limits);
    let mut transfer = Transfer::new(CpuDevice::default());
    while let Some(incoming) = receiver.next().await? {
        incoming.open_onto(&mut transfer, Destination::Owned).await?;
        for tensor in transfer.settle().await {
            println!("device: {} is in device memory, verified", tensor?.metadata().name());
        }
    }
    Ok(())
}
