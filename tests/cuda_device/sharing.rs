//! Memory that others reach: another process, and other frameworks of this one.
#![allow(unsafe_code)] // handles and pointers are the driver's

use std::{ffi::c_void, process::Command};

use pqc_gpu_driver::{
    DType, Error, TensorMetadata, block_on,
    conformance::{self, noise, read},
    device::{CudaDevice, Device, cuda::CudaIpcHandle},
    establish_channel, ops,
    transfer::{Destination, Transfer},
};

use super::{deliver, source};

const HANDLE: &str = "PQC_GPU_TEST_IPC_HANDLE";
const BYTES: usize = 3_000_000;

/// A tensor is opened into memory that another process has too; that one reads and changes it.
#[test]
fn another_process_has_what_was_opened() {
    conformance::run(CudaDevice::open(0), |device| {
        let shared = device.alloc_shared(BYTES as u64).unwrap();
        assert_eq!(shared.size(), BYTES as u64);
        let (host, guest) = establish_channel("host", "device").unwrap();
        let (pending, body) = deliver(&host, &guest, &noise(7, BYTES));
        let mut transfer = Transfer::new(&device);
        block_on(async {
            transfer.begin_open(pending, Destination::Buffer(&shared, 0), source(&body)).await.unwrap();
            transfer.settle().await.remove(0).unwrap();
        });
        let handle: String = device.export(&shared).unwrap().0.iter().map(|byte| format!("{byte:02x}")).collect();
        let other = Command::new(std::env::current_exe().unwrap())
            .args(["sharing::in_the_other_process", "--exact", "--ignored", "--nocapture"])
            .env(HANDLE, handle)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&other.stdout);
        assert!(
            other.status.success() && said.contains("1 passed"),
            "{said}{}",
            String::from_utf8_lossy(&other.stderr)
        );
        let seen = block_on(read(&device, &shared, 0..BYTES as u64));
        assert!(seen[..1000].iter().all(|&byte| byte == 0), "what the other one cleared");
        assert!(seen[1000..] == noise(7, BYTES)[1000..]);
    });
}

#[test]
#[ignore = "what the test above runs in another process"]
fn in_the_other_process() {
    let handle = std::env::var(HANDLE).unwrap();
    let bytes: Vec<u8> = (0..64).map(|i| u8::from_str_radix(&handle[2 * i..2 * i + 2], 16).unwrap()).collect();
    let handle = CudaIpcHandle(bytes.try_into().unwrap());
    let device = CudaDevice::open(0).unwrap();
    // SAFETY: the process that exported it waits for this one.
    let import = |bytes| unsafe { device.import(&handle, bytes) };
    assert!(matches!(import(64 << 20), Err(Error::Usage(_))), "more than there is");
    let buffer = import(BYTES as u64).unwrap();
    block_on(async {
        assert!(read(&device, &buffer, 0..BYTES as u64).await == noise(7, BYTES));
        let mut batch = device.batch();
        device.clear(&mut batch, &buffer, 0..1000);
        device.wait(device.submit(batch).unwrap()).await.unwrap();
    });
    // SAFETY: there is no such memory.
    assert!(unsafe { device.import(&CudaIpcHandle([7; 64]), 16) }.is_err());
}

/// Nothing else is exported: what lies beside keys and scratch memory would go with it.
#[test]
fn only_memory_of_its_own_is_exported() {
    conformance::run(CudaDevice::open(0), |device| {
        let pooled = device.alloc(4 << 20).unwrap();
        assert!(matches!(device.export(&pooled), Err(Error::Usage(_))));
        assert!(matches!(device.alloc_shared(u64::MAX), Err(Error::Backend(_))));
        let shared = device.alloc_shared(1).unwrap();
        assert!(block_on(read(&device, &shared, 0..1)) == [0]);
        assert_ne!(device.export(&shared).unwrap(), device.export(&device.alloc_shared(1).unwrap()).unwrap());
    });
}

/// `DLManagedTensor`, as dlpack.h has it.
#[repr(C)]
struct Managed {
    data: *mut c_void,
    device: [i32; 2],
    dimensions: i32,
    code: u8,
    bits: u8,
    lanes: u16,
    shape: *const i64,
    strides: *const i64,
    byte_offset: u64,
    context: *mut c_void,
    deleter: unsafe extern "C" fn(*mut Managed),
}

#[test]
fn tensors_go_to_other_frameworks_by_dlpack() {
    conformance::run(CudaDevice::open(0), |device| {
        let (host, guest) = establish_channel("host", "device").unwrap();
        let plaintext = noise(3, 2 * 3 * 5 * 4);
        let metadata = TensorMetadata::new("id", "name", DType::F32, [2, 3, 5]).unwrap();
        let sealed = host.encrypt_tensor(&plaintext, &metadata).unwrap();
        let (header, rest) = sealed.as_bytes().split_at(64);
        let (encoded, body) = rest.split_at(metadata.encode().len());
        let tensor = {
            let pending = guest.reserve(header, encoded).unwrap();
            block_on(Transfer::new(&device).open(pending, body)).unwrap()
        };
        let half = block_on(ops::cast(&&device, &tensor, DType::BF16)).unwrap();
        for (tensor, code, bits) in [(&tensor, 2, 32), (&half, 4, 16)] {
            let raw = tensor.to_dlpack().unwrap().into_raw().cast::<Managed>();
            // SAFETY: it is a DLManagedTensor, which is this one's until its deleter is called.
            unsafe {
                let managed = &*raw;
                assert_eq!(managed.data as u64, tensor.buffer().pointer());
                assert_eq!((managed.device, managed.byte_offset), ([2, 0], 0));
                assert_eq!((managed.code, managed.bits, managed.lanes), (code, bits, 1));
                assert_eq!(std::slice::from_raw_parts(managed.shape, managed.dimensions as usize), [2, 3, 5]);
                assert_eq!(std::slice::from_raw_parts(managed.strides, 3), [15, 5, 1]);
                (managed.deleter)(raw);
            }
        }
        // The memory stays as long as the other framework has it.
        let raw = tensor.to_dlpack().unwrap().into_raw().cast::<Managed>();
        drop(tensor);
        drop(device.alloc(4096).unwrap());
        // SAFETY: as above; the memory is held by `raw`.
        unsafe {
            let still = device.adopt((*raw).data as u64, plaintext.len() as u64).unwrap();
            assert!(block_on(read(&device, &still, 0..plaintext.len() as u64)) == plaintext);
            drop(still);
            ((*raw).deleter)(raw);
        }
        drop(half.to_dlpack().unwrap());
        use pqc_gpu_driver::device::cuda::DlpackElement;
        let (byte, nibble) = (DlpackElement::new(1, 8), DlpackElement::new(17, 4));
        assert!(half.buffer().to_dlpack(0, byte, &[half.buffer().size() + 1]).is_err());
        assert!(half.buffer().to_dlpack(u64::MAX, byte, &[1]).is_err());
        assert!(half.buffer().to_dlpack(0, byte, &[u64::MAX, u64::MAX]).is_err());
        assert!(half.buffer().to_dlpack(0, nibble, &[1]).is_err());
    });
}
