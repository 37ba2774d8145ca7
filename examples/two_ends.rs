//! Two ends of a channel over TCP, each with an identity of its own that the other pins; a tensor crosses and is opened
//! into a device's memory.
//!
//! `cargo run --release --example two_ends`

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::Arc,
    thread,
};

use pqc_gpu_driver::{
    DType, Identity, SystemClock, TensorMetadata, TrustPolicy, block_on,
    channel::{
        ChannelSession, DeviceConfig, DeviceHandshake, HostConfig, HostHandshake,
        chunk::sealed_bytes,
        message::{self, SessionPolicy},
        record::{HEADER_BYTES, RecordHeader},
        session::Control,
    },
    device::CpuDevice,
    identity::PublicKey,
    transfer::Transfer,
};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Header and tag.
const CONTROL_BYTES: usize = HEADER_BYTES + 16;

fn main() -> Result<()> {
    // In production each end makes its identity once (`pqc-gpu identity new`) and is given the other's public key.
    let (host, device) = (Arc::new(Identity::generate()?), Arc::new(Identity::generate()?));
    let (host_key, device_key) = (host.public_key().clone(), device.public_key().clone());
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let device_end = thread::spawn(move || serve(listener.accept()?.0, device, host_key));

    let mut stream = TcpStream::connect(address)?;
    let session = connect(&mut stream, host, device_key)?;
    println!("host: the device is {} ({})", session.peer().key_id(), session.peer().label());
    let weights: Vec<u8> = (0..100_000).map(|i| (i % 251) as u8).collect();
    let metadata = TensorMetadata::new("0", "weights", DType::U8, [100, 1000])?;
    stream.write_all(session.encrypt_tensor(&weights, &metadata)?.as_bytes())?;
    stream.write_all(&session.close()?)?;
    device_end.join().map_err(|_| "the device's end panicked")?
}

/// The host's end of the handshake.
fn connect(stream: &mut TcpStream, identity: Arc<Identity>, device: PublicKey) -> Result<ChannelSession> {
    let (awaits_m2, m1) = HostHandshake::start(HostConfig {
        identity,
        label: "example host".into(),
        expected_device: Some(device.key_id()),
        trust: TrustPolicy::pin(device),
        policy: SessionPolicy::default(),
        attestation_check: None,
        clock: Arc::new(SystemClock::default()),
    })?;
    stream.write_all(&m1)?;
    let (awaits_ready, m3) = awaits_m2.receive_m2(&read_message(stream)?)?;
    stream.write_all(&m3)?;
    Ok(awaits_ready.receive_ready(&read(stream, CONTROL_BYTES)?)?)
}

/// The device's end: handshake, then tensors into device memory until CLOSE.
fn serve(mut stream: TcpStream, identity: Arc<Identity>, host: PublicKey) -> Result<()> {
    let handshake = DeviceHandshake::new(DeviceConfig {
        identity,
        label: "example device".into(),
        trust: TrustPolicy::pin(host),
        max_ttl_seconds: 3600,
        attestation: Vec::new(),
        clock: Arc::new(SystemClock::default()),
    })?;
    let (awaits_m3, m2) = handshake.receive_m1(&read_message(&mut stream)?)?;
    stream.write_all(&m2)?;
    let (session, ready) = awaits_m3.receive_m3(&read_message(&mut stream)?)?;
    stream.write_all(&ready)?;

    let mut transfer = Transfer::new(CpuDevice::default());
    loop {
        let header = read(&mut stream, HEADER_BYTES)?;
        let parsed = RecordHeader::decode(header[..].try_into()?)?;
        if parsed.record_type != pqc_gpu_driver::channel::record::RecordType::Tensor {
            let control = [header, read(&mut stream, CONTROL_BYTES - HEADER_BYTES)?].concat();
            match session.receive_control(&control)? {
                Control::Close => return Ok(session.transport_ended()?),
                Control::KeyUpdate => continue,
            }
        }
        // Both lengths were bounded when the header was read, and are checked again when the record is reserved.
        let metadata = read(&mut stream, parsed.metadata_bytes as usize)?;
        let pending = session.reserve(&header, &metadata)?;
        let body = read(&mut stream, sealed_bytes(parsed.body_bytes) as usize)?;
        let tensor = block_on(transfer.open(pending, &body))?;
        println!("device: {} is in device memory, verified", tensor.metadata().name());
    }
}

fn read_message(stream: &mut TcpStream) -> Result<Vec<u8>> {
    let mut message = read(stream, message::HEADER_BYTES)?;
    let (_, length) = message::parse_header(message[..].try_into()?)?;
    message.extend(read(stream, length)?);
    Ok(message)
}

fn read(stream: &mut TcpStream, length: usize) -> Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes)?;
    Ok(bytes)
}
