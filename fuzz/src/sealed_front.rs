//! Whole files: their fronts are read only in their one form, verified only as the publisher signed them, and opened
//! only as they were sealed.

use pqc_gpu_driver::{
    TrustPolicy, block_on,
    sealed::{Front, SealedModel},
};

use crate::sealed::honest;

const MANIFEST: usize = 16;

pub fn check(data: &[u8]) -> bool {
    let honest = honest();
    let (file, front) = (&honest.sealed.file, &honest.sealed.front);
    let opened = block_on(SealedModel::open(data, &honest.alice, &honest.trust, 0)).is_ok();
    // Bodies are not looked at until a tensor is opened.
    assert_eq!(opened, data.len() == file.len() && data.starts_with(front));
    let Ok(read) = block_on(Front::read(data)) else { return false };
    let manifest = read.manifest().encode();
    assert!(data[MANIFEST..].starts_with(&manifest));
    let word = |at: usize| u32::from_be_bytes([data[at], data[at + 1], data[at + 2], data[at + 3]]) as usize;
    assert_eq!(word(8), manifest.len());
    let mac = MANIFEST + manifest.len() + 1952 + 3309 + word(12);
    let start = (mac + 64).next_multiple_of(4096);
    assert_eq!(data.len() as u64, start as u64 + read.manifest().bodies_bytes());
    assert!(data[mac + 64..start].iter().all(|&byte| byte == 0));
    assert!(read.recipients().collect::<Vec<_>>().is_sorted_by(|one, other| one < other));
    assert!(read.recipients().len() >= 1);

    let signed = manifest.len() + 1952 + 3309;
    let honestly = manifest == honest.sealed.manifest && data[MANIFEST..][..signed] == file[MANIFEST..][..signed];
    // Anybody may sign for himself, but nobody here has another key.
    assert_eq!(read.verify(&TrustPolicy::AcceptAny, 0).is_ok(), honestly);
    opened
}
