//! Sealing, verifying, rewrapping and opening a tensor take the same memory whatever its size.
#![cfg(feature = "safetensors")]
#![allow(missing_docs, clippy::unwrap_used)]

use std::{
    fs::{self, File},
    io,
};

use pqc_gpu_driver::{
    Identity, TrustPolicy, block_on,
    sealed::{RecipientKey, Roots, SealedModel, Sealing, SeekSource, safetensors::SafetensorsModel, verify},
};

#[global_allocator]
static MEMORY: cap::Cap<std::alloc::System> = cap::Cap::new(std::alloc::System, usize::MAX);

/// Beside what is there before: two buffers of 8 MiB, and what they are grown from.
const ROOM: usize = 32 << 20;
const TENSOR: u64 = 160 << 20;

#[test]
fn memory_is_flat() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    // The tensor is a hole in the file, so that the disk need not hold it.
    let json = format!(r#"{{"w":{{"dtype":"U8","shape":[{TENSOR}],"data_offsets":[0,{TENSOR}]}}}}"#);
    fs::write(at("model.safetensors"), [&(json.len() as u64).to_le_bytes(), json.as_bytes()].concat()).unwrap();
    let file = fs::OpenOptions::new().write(true).open(at("model.safetensors")).unwrap();
    file.set_len(file.metadata().unwrap().len() + TENSOR).unwrap();

    let [publisher, alice, bob] = [(); 3].map(|()| Identity::generate().unwrap());
    let key = |identity: &Identity| RecipientKey::from(identity.public());
    MEMORY.set_limit(MEMORY.allocated() + ROOM).unwrap();
    let files = SafetensorsModel::open(&at("model.safetensors")).unwrap();
    let plain = files.plain().unwrap();
    let sealing = Sealing::new(&plain, &publisher, &[key(&alice)], 1).unwrap();
    sealing.write(&mut File::create(at("sealed")).unwrap(), |_| ()).unwrap();

    let source = SeekSource::new(File::open(at("sealed")).unwrap()).unwrap();
    let trust = TrustPolicy::pin(publisher.public_key().clone());
    block_on(async {
        verify(&source, &trust, 1, |_| ()).await.unwrap();
        let model = SealedModel::open(&source, &alice, &trust, 1).await.unwrap();
        let mut opened = Zeros(0);
        model.write_tensors(0..1, &mut opened, Roots::Check, |_| ()).await.unwrap();
        assert_eq!(opened.0, TENSOR);
        let mut copied = Counted(0);
        model.write_rewrapped(&[key(&bob)], &[], &mut copied, |_| ()).await.unwrap();
        assert!(copied.0 > TENSOR);
    });
}

/// Takes zeros only, and counts them.
struct Zeros(u64);

impl io::Write for Zeros {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        assert!(bytes.iter().all(|&byte| byte == 0));
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Counted(u64);

impl io::Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
