//! Out of memory and beyond limits.

use pqc_gpu_driver::{
    Error, block_on,
    conformance::{self, noise, read},
    device::{Device, WgpuDevice},
    establish_channel,
    transfer::Transfer,
    wgpu,
};

use super::{adapters, alone, deliver, usual};

/// More than any limit, and more than there is.
#[test]
fn out_of_memory_is_an_error() {
    conformance::run(adapters::llvmpipe(), |device| {
        for bytes in [u64::MAX, u64::MAX - 15, 1 << 62, device.info().max_buffer_bytes + 1] {
            let refused = device.alloc(bytes).err();
            assert!(matches!(refused, Some(Error::Backend(_))), "{bytes}: {refused:?}");
        }
    });
    alone(
        |offered| wgpu::Limits { max_buffer_size: offered.max_buffer_size, ..usual(offered) },
        |device| {
            let each = device.info().max_buffer_bytes / 16 * 16;
            // Memory is taken only when it is written to, so that the machine stays whole; address space ends.
            let mut held = Vec::new();
            let refused = (0..1 << 20).find_map(|_| match device.alloc(each) {
                Ok(buffer) => {
                    held.push(buffer.raw().clone());
                    core::mem::forget(buffer);
                    (held.len() > 64).then_some(None)
                }
                Err(error) => Some(Some(error)),
            });
            match refused.flatten() {
                Some(error) => assert!(matches!(error, Error::Backend(_)), "{error}"),
                None => println!("64 buffers of {each} bytes were to be had"),
            }
        },
    );
}

/// Bindings of 128 MiB and buffers of 256 MiB: launches are split, and what no buffer takes is an error.
#[test]
fn default_limits_split_launches_and_refuse_what_is_too_large() {
    alone(usual, |device| {
        assert_eq!((device.info().max_binding_bytes, device.info().max_buffer_bytes), (128 << 20, 256 << 20));
        let (host, guest) = establish_channel("host", "device").unwrap();
        let mut transfer = Transfer::new(&device);
        let plaintext = noise(1, (128 << 20) + 12_345);
        let (pending, body) = deliver(&host, &guest, &plaintext);
        block_on(async {
            let before = device.launches();
            let tensor = transfer.open(pending, &body).await.unwrap();
            assert_eq!(device.launches() - before, 6, "expand_key, two of verify, finalize, two of open");
            for at in [0, (128 << 20) / 16_400 / 16 * 16 * 16_384 - 7, 128 << 20] {
                let end = plaintext.len().min(at + 20_000);
                let seen = read(&device, tensor.buffer(), at as u64..end as u64).await;
                assert!(seen == plaintext[at..end], "at {at}");
            }
            drop(tensor);
            let (pending, body) = deliver(&host, &guest, &vec![7; (256 << 20) + 1]);
            let refused = transfer.open(pending, &body).await;
            assert!(matches!(refused, Err(Error::Backend(_))), "{refused:?}");
            assert!(!guest.is_valid());
        });
    });
}

/// A device that cannot hold what a launch needs is refused when it is handed over.
#[test]
fn too_tight_limits_are_refused() {
    let tight = |change: fn(&mut wgpu::Limits)| {
        let open = async || {
            let adapter = adapters::llvmpipe_adapter().await?;
            let mut required_limits = wgpu::Limits::default();
            change(&mut required_limits);
            let descriptor = wgpu::DeviceDescriptor { required_limits, ..wgpu::DeviceDescriptor::default() };
            let (device, queue) = adapter.request_device(&descriptor).await.expect("a device");
            Ok((device, queue))
        };
        conformance::run(block_on(open()), |(device, queue)| {
            assert!(matches!(WgpuDevice::new(device, queue), Err(Error::DeviceUnavailable { .. })));
        });
    };
    tight(|limits| limits.max_buffer_size = 10_000);
    tight(|limits| limits.max_storage_buffer_binding_size = 10_000);
    tight(|limits| limits.max_storage_buffers_per_shader_stage = 3);
    tight(|limits| limits.max_compute_invocations_per_workgroup = 64);
    tight(|limits| limits.max_compute_workgroup_storage_size = 1024);
}
