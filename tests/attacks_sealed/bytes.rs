//! Every bit of a small file, and a file that changes while it is read.

use std::{ops::Range, sync::Mutex};

use pqc_gpu_driver::{
    block_on,
    error::SealedFailure,
    sealed::{Roots, SealedModel, Source},
};
use rayon::prelude::*;

use crate::{
    book, identity,
    inputs::{inputs, tensor, three},
    open, trust,
};

#[test]
fn sealed_every_bit() {
    let inputs = inputs(vec![tensor(0, "empty", "F32", &[0], 0), tensor(1, "short", "U8", &[40], 40)]);
    let (file, trust) = (book::seal(&inputs).file, trust(&inputs));
    assert!(open(&file, "alice", &trust, Roots::Check).is_ok());
    // One bit a byte, which one going round; all of them takes eight times as long.
    let all = std::env::var("PQC_GPU_TESTS").is_ok_and(|what| what == "full");
    (0..file.len()).into_par_iter().for_each(|at| {
        let bits = if all { 0..8 } else { at % 8..at % 8 + 1 };
        for bit in bits {
            let mut altered = file.clone();
            altered[at] ^= 1 << bit;
            assert!(open(&altered, "alice", &trust, Roots::Check).is_err(), "bit {bit} of byte {at}");
        }
    });
}

/// Gives altered bytes to whoever reads a byte for the second time.
struct Changing<'a> {
    file: &'a [u8],
    read: Mutex<Vec<bool>>,
}

impl Source for Changing<'_> {
    fn size(&self) -> u64 {
        self.file.len() as u64
    }

    async fn read_at(&self, offset: u64, into: &mut [u8]) -> Result<(), SealedFailure> {
        let range: Range<usize> = offset as usize..offset as usize + into.len();
        into.copy_from_slice(&self.file[range.clone()]);
        let mut read = self.read.lock().unwrap();
        for (byte, read) in into.iter_mut().zip(&mut read[range]) {
            *byte ^= u8::from(std::mem::replace(read, true));
        }
        Ok(())
    }
}

#[test]
fn sealed_a_file_that_changes_while_it_is_read() {
    let inputs = three();
    let file = book::seal(&inputs).file;
    let source = Changing { file: &file, read: Mutex::new(vec![false; file.len()]) };
    block_on(async {
        let model = SealedModel::open(&source, &identity("alice"), &trust(&inputs), 0).await.unwrap();
        for tensor in 0..3 {
            // Every byte is read once: what is hashed is what is opened.
            let opened = model.open_tensor(tensor, Roots::Check).await.unwrap();
            assert_eq!(opened.bytes, inputs.tensors[tensor as usize].plaintext);
        }
        assert_eq!(model.open_tensor(2, Roots::Check).await.map(drop), Err(SealedFailure::Ciphertext(2).into()));
    });
    assert!(source.read.into_inner().unwrap().iter().all(|read| *read), "every byte was looked at");
}
