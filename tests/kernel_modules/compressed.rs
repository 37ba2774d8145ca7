//! Modules within gzip, xz and zstd, by other programs' hands where those are installed.

use std::{
    io::Write,
    process::{Command, Stdio},
    sync::OnceLock,
};

use pqc_gpu_driver::{
    Error,
    attest::kernel_module::{Certificate, Compression, KernelModule},
    error::ModuleFailure,
};
use proptest::prelude::*;

use super::ko::*;

/// The content through another program; None and a line if it is not installed.
pub(crate) fn through(program: &[&str], content: &[u8]) -> Option<Vec<u8>> {
    let child = Command::new(program[0])
        .args(&program[1..])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut child) = child else {
        assert!(std::env::var_os("PQC_GPU_REQUIRE_ALL").is_none(), "{} is not installed", program[0]);
        println!("skipped: {} is not installed", program[0]);
        return None;
    };
    let mut input = child.stdin.take().unwrap();
    let content = content.to_vec();
    let writer = std::thread::spawn(move || input.write_all(&content));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success(), "{program:?}");
    Some(output.stdout)
}

/// As the kernel's build compresses (scripts/Makefile.modinst), and otherwise.
pub(crate) const PROGRAMS: [(&[&str], Compression); 5] = [
    (&["xz", "--check=crc32", "--lzma2=dict=1MiB"], Compression::Xz),
    (&["xz", "-9", "--check=sha256"], Compression::Xz),
    (&["zstd", "-q", "-T0"], Compression::Zstd),
    (&["zstd", "-q", "--no-check", "-19"], Compression::Zstd),
    (&["gzip", "-n"], Compression::Gzip),
];

#[test]
fn compressed_modules_are_read_and_verified() {
    let (module, certificate) = signed();
    let certificate = Certificate::read(&certificate).unwrap();
    for (program, compression) in PROGRAMS {
        let Some(file) = through(program, &module) else { return };
        let read = KernelModule::read(&file).unwrap();
        assert_eq!((read.compression(), read.image()), (compression, &module[..]), "{program:?}");
        read.verify(&certificate).unwrap();

        // Cut anywhere, or followed by anything, it is no module.
        let kind = |file: &[u8]| KernelModule::read(file).map(drop).unwrap_err();
        for cut in (7..file.len()).step_by(97).chain([file.len() - 1]) {
            let refused = kind(&file[..cut]);
            assert!(matches!(refused, Error::KernelModule(ModuleFailure::Compression { .. })), "{cut}: {refused:?}");
        }
        for behind in [&[0][..], b"x", &[0; 4], &file] {
            let refused = kind(&[&file[..], behind].concat());
            assert!(matches!(refused, Error::KernelModule(ModuleFailure::Compression { .. })), "{refused:?}");
        }
        // No bit of it can be flipped unnoticed where the format has a checksum.
        for at in (0..file.len()).step_by(13) {
            let mut bent = file.clone();
            bent[at] ^= 4;
            let verified = KernelModule::read(&bent).ok().filter(|read| read.verify(&certificate).is_ok());
            // Headers have bits without a meaning for the content: gzip's time, for one.
            assert!(verified.is_none_or(|read| read.image() == module), "{program:?} at {at}");
        }
        // Compressed twice is not what the kernel loads.
        if let Some(twice) = through(program, &file) {
            assert!(matches!(kind(&twice), Error::KernelModule(ModuleFailure::Malformed(_))));
        }
    }
}

#[test]
fn bombs_end_at_the_limit() {
    const LIMIT: u64 = 1 << 20;
    for (program, _) in PROGRAMS {
        for (length, refused) in [(LIMIT as usize, false), (LIMIT as usize + 1, true), (64 << 20, true)] {
            let Some(bomb) = through(program, &vec![0; length]) else { return };
            assert!(bomb.len() < LIMIT as usize);
            let error = KernelModule::read_within(&bomb, LIMIT).map(drop).unwrap_err();
            assert_eq!(error == ModuleFailure::TooLong { limit: LIMIT }.into(), refused, "{program:?} {length}");
        }
    }
    let error = KernelModule::read_within(&module(), 10).map(drop).unwrap_err();
    assert_eq!(error, ModuleFailure::TooLong { limit: 10 }.into());
}

#[test]
fn headers_that_ask_for_memory_do_not_get_it() {
    // A zstd frame with a window of 3.75 TiB, and one with a content of 2⁶³ bytes in a single segment.
    let window = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xff, 1, 0, 0];
    let segment = [&[0x28, 0xb5, 0x2f, 0xfd, 0xe0][..], &(1u64 << 63).to_le_bytes(), &[1, 0, 0]].concat();
    // An xz block with a dictionary of 4 GiB: property 40 in a header with a right checksum.
    let mut header = vec![0x02, 0x00, 0x21, 0x01, 40, 0, 0, 0];
    header.extend(crc32(&header).to_le_bytes());
    let flags = [0, 1];
    let stream = [&b"\xfd7zXZ\0"[..], &flags, &crc32(&flags).to_le_bytes(), &header, &[0; 64]].concat();
    for file in [&window[..], &segment, &stream] {
        let error = KernelModule::read(file).map(drop).unwrap_err();
        let Error::KernelModule(ModuleFailure::Compression { reason, .. }) = error else { panic!("{error:?}") };
        println!("{reason}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_changes_never_panic(which in 0usize..5, changes in proptest::collection::vec(any::<(u16, u8)>(), 1..5)) {
        static FILES: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
        let files = FILES.get_or_init(|| {
            let content = [&module()[..], &[b'a'; 5000], &MODINFO.repeat(20)].concat();
            PROGRAMS.iter().filter_map(|(program, _)| through(program, &content)).collect()
        });
        if let Some(file) = files.get(which) {
            let mut bent = file.clone();
            for (at, value) in changes {
                let at = usize::from(at) % bent.len();
                bent[at] = value;
            }
            let _ = KernelModule::read_within(&bent, 1 << 20);
        }
    }
}

fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum()
}
