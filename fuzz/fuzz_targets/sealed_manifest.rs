#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    pqc_gpu_driver_fuzz::sealed_manifest::check(data);
});
