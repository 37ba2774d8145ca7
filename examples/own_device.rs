//! An application with a wgpu device of its own receives a sealed tensor into a buffer of its own, and its own shader
//! computes with it. The tensor's plaintext first exists in that buffer: the application never has it in host memory.
//!
//! `cargo run --release --example own_device [PART OF THE ADAPTER'S NAME]`

use std::{
    net::{TcpListener, TcpStream},
    thread,
};

use pqc_gpu_driver::{
    ChannelSession, DType, TensorMetadata, block_on,
    device::{WgpuDevice, wgpu::adapters},
    establish_channel,
    transfer::{Destination, Transfer},
    transport::{Blocking, Limits, Receiver, Sender},
    wgpu::{self, util::DeviceExt},
};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// The application's shader: y = W x, one row an invocation.
const SHADER: &str = "
@group(0) @binding(0) var<storage, read> weights: array<f32>;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn multiply(@builtin(global_invocation_id) id: vec3u) {
    if id.x < arrayLength(&y) {
        let columns = arrayLength(&x);
        var sum = 0.0;
        for (var column = 0u; column < columns; column++) {
            sum += weights[id.x * columns + column] * x[column];
        }
        y[id.x] = sum;
    }
}
";

const ROWS: usize = 300;
const COLUMNS: usize = 500;
const WEIGHTS_BYTES: u64 = (ROWS * COLUMNS * size_of::<f32>()) as u64;
/// Where in the application's buffer the weights go: a multiple of every device's binding alignment.
const OFFSET: u64 = 4096;

fn main() -> Result<()> {
    // The handshake between two fresh identities; between machines it is `transport::connect` and `accept`.
    let (host, application) = establish_channel("host", "application")?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let host_end = thread::spawn(move || block_on(send(&host, &TcpStream::connect(address)?)));
    block_on(receive(&application, &listener.accept()?.0))?;
    host_end.join().map_err(|_| "the host's end panicked")?
}

/// The host's end seals the weights.
async fn send(session: &ChannelSession, stream: &TcpStream) -> Result<()> {
    let bytes: Vec<u8> = weights().flat_map(f32::to_le_bytes).collect();
    let metadata = TensorMetadata::new("0", "weights", DType::F32, [ROWS as u64, COLUMNS as u64])?;
    let mut sender = Sender::new(session, Blocking(stream));
    sender.send(&metadata, &bytes).await?;
    sender.close().await?;
    Ok(())
}

/// The application's end opens them on its device and uses them there.
async fn receive(session: &ChannelSession, stream: &TcpStream) -> Result<()> {
    // What the application has anyway, made as it pleases: WebGPU's default limits are enough.
    let name = std::env::args().nth(1).unwrap_or_default().to_lowercase();
    let adapter = adapters().await.into_iter().find(|adapter| adapter.get_info().name.to_lowercase().contains(&name));
    let adapter = adapter.ok_or("there is no such adapter; `pqc-gpu devices` lists them")?;
    println!("adapter: {} ({:?})", adapter.get_info().name, adapter.get_info().device_type);
    let (device, queue) = adapter.request_device(&wgpu::DeviceDescriptor::default()).await?;
    let memory = device.create_buffer(&wgpu::BufferDescriptor {
        label: Some("the application's"),
        size: OFFSET + WEIGHTS_BYTES,
        usage: wgpu::BufferUsages::STORAGE,
        mapped_at_creation: false,
    });

    let mut transfer = Transfer::new(WgpuDevice::new(device.clone(), queue.clone())?);
    let buffer = transfer.device().adopt(memory.clone())?;
    let limits = Limits { max_tensor_bytes: WEIGHTS_BYTES, ..Limits::default() };
    let mut receiver = Receiver::new(session, Blocking(stream), limits);
    while let Some(incoming) = receiver.next().await? {
        incoming.open_onto(&mut transfer, Destination::Buffer(&buffer, OFFSET)).await?;
        for tensor in transfer.settle().await {
            let tensor = tensor?;
            println!(
                "{} is verified and lies at byte {} of {}",
                tensor.metadata().name(),
                tensor.offset(),
                memory.size()
            );
        }
    }

    let x: Vec<f32> = (0..COLUMNS).map(|i| (i % 5) as f32 - 2.0).collect();
    let y = multiply(&device, &queue, &memory, &x).await?;
    // Whole numbers, so small that every order of adding gives the same.
    let weights: Vec<f32> = weights().collect();
    let expected = weights.chunks(COLUMNS).map(|row| row.iter().zip(&x).map(|(w, x)| w * x).sum::<f32>());
    if !y.iter().copied().eq(expected) {
        return Err("the shader found other weights than were sealed".into());
    }
    println!("the application's shader computed {} rows with them, all as expected", y.len());
    Ok(())
}

fn weights() -> impl Iterator<Item = f32> {
    (0..ROWS * COLUMNS).map(|i| ((i * 7 + i / COLUMNS) % 19) as f32 - 9.0)
}

/// The application's own work on its own buffer: nothing of the library is in it.
async fn multiply(device: &wgpu::Device, queue: &wgpu::Queue, memory: &wgpu::Buffer, x: &[f32]) -> Result<Vec<f32>> {
    use wgpu::BufferUsages;
    let x: Vec<u8> = x.iter().flat_map(|x| x.to_le_bytes()).collect();
    let x = wgpu::util::BufferInitDescriptor { label: None, contents: &x, usage: BufferUsages::STORAGE };
    let x = device.create_buffer_init(&x);
    let result = |usage| {
        let size = (ROWS * size_of::<f32>()) as u64;
        device.create_buffer(&wgpu::BufferDescriptor { label: None, size, usage, mapped_at_creation: false })
    };
    let y = result(BufferUsages::STORAGE | BufferUsages::COPY_SRC);
    let read_back = result(BufferUsages::MAP_READ | BufferUsages::COPY_DST);

    let source = wgpu::ShaderSource::Wgsl(SHADER.into());
    let module = device.create_shader_module(wgpu::ShaderModuleDescriptor { label: None, source });
    let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: None,
        layout: None,
        module: &module,
        entry_point: None,
        compilation_options: wgpu::PipelineCompilationOptions::default(),
        cache: None,
    });
    let weights = wgpu::BufferBinding { buffer: memory, offset: OFFSET, size: None };
    let group = device.create_bind_group(&wgpu::BindGroupDescriptor {
        label: None,
        layout: &pipeline.get_bind_group_layout(0),
        entries: &[
            wgpu::BindGroupEntry { binding: 0, resource: wgpu::BindingResource::Buffer(weights) },
            wgpu::BindGroupEntry { binding: 1, resource: x.as_entire_binding() },
            wgpu::BindGroupEntry { binding: 2, resource: y.as_entire_binding() },
        ],
    });
    let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
    let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
    pass.set_pipeline(&pipeline);
    pass.set_bind_group(0, &group, &[]);
    pass.dispatch_workgroups(ROWS.div_ceil(64) as u32, 1, 1);
    drop(pass);
    encoder.copy_buffer_to_buffer(&y, 0, &read_back, 0, y.size());
    queue.submit([encoder.finish()]);

    let (told, mapped) = std::sync::mpsc::channel();
    read_back.map_async(wgpu::MapMode::Read, .., move |outcome| drop(told.send(outcome)));
    device.poll(wgpu::PollType::wait_indefinitely())?;
    mapped.recv()??;
    let bytes = read_back.get_mapped_range(..)?;
    Ok(bytes.chunks_exact(4).map(|y| f32::from_le_bytes([y[0], y[1], y[2], y[3]])).collect())
}
