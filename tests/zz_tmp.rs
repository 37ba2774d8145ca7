#![allow(missing_docs)]
use pqc_gpu_driver::{conformance::*, device::{*, wgpu::adapters}, transfer::hazmat::*};
#[test]
fn sizes() {
    pollster::block_on(async {
        let a = adapters().await;
        let name = std::env::var("ADAPTER").unwrap();
        let d = WgpuDevice::open(a.iter().find(|a| a.get_info().name.contains(&name)).unwrap()).await.unwrap();
        let cpu = CpuDevice::default();
        for n in [100, 100, 1usize<<20, 16<<20, 33<<20] {
            let data = noise(n as u64, n);
            let p = || BodyParams { key: &[7; 32], nonce: [3; 12], aad: &[1; 32], chunk_bytes: 16384 };
            let sealed = seal_body(&cpu, p(), &data).await.unwrap();
            for i in 0..2 {
            let t = std::time::Instant::now();
            let opened = open_body(&d, p(), &sealed).await.unwrap();
            let t2 = t.elapsed(); let t = std::time::Instant::now();
            let s2 = seal_body(&d, p(), &data).await.unwrap();
            let t3 = t.elapsed();
            println!("{n}: open {} seal {} {t2:?} {t3:?}", opened.as_ref() == Some(&data), s2 == sealed);
            }
        }
    });
}
