use pqc_gpu_driver::*;
#[test]
fn smoke() {
    let (host, device) = establish_channel("h", "d").unwrap();
    let m = TensorMetadata::new("a", "b", DType::U8, [100_000]).unwrap();
    let bytes: Vec<u8> = (0..100_000u32).map(|i| i as u8).collect();
    for _ in 0..3 {
        let e = host.encrypt_tensor(&bytes, &m).unwrap();
        assert_eq!(device.decrypt_tensor(&EncryptedTensor::from_bytes(e.as_bytes()).unwrap()).unwrap(), bytes);
        let e = device.encrypt_tensor(&bytes, &m).unwrap();
        assert_eq!(host.decrypt_tensor(&e).unwrap(), bytes);
    }
    let t = std::time::Instant::now();
    for _ in 0..20 {
        establish_channel("h", "d").unwrap();
    }
    eprintln!("{:?}", t.elapsed() / 20);
    let c = host.close().unwrap();
    assert_eq!(device.receive_control(&c), Ok(channel::session::Control::Close));
    assert!(device.transport_ended().is_ok());
    assert!(host.transport_ended().is_err());
}
