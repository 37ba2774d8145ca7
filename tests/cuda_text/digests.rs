//! The tree over sealed chunks, against the tree by the book.

use pqc_gpu_driver::{
    conformance::noise,
    kernel::digest::{ROOT_HOLDS, RootCheck},
    sealed::tree::{self, Node},
};

#[test]
fn leaves_of_any_length() {
    let Some(kernels) = super::kernels() else { return };
    let lone = [0, 1, 7, 8, 15, 16, 104, 105, 112, 119, 120, 135, 136, 137, 240, 247, 248, 256, 16_383, 16_384];
    let many = [(16, 5, 1), (48, 0, 9), (1024, 17, 70), (16_384, 15, 33)];
    for (chunk, last, chunks) in lone.map(|last| (16_384, last, 1)).into_iter().chain(many) {
        let body = noise(u64::from(chunk + last), ((chunks - 1) * (chunk + 16) + last + 16) as usize);
        let expected: Vec<Node> = body.chunks(chunk as usize + 16).map(tree::leaf).collect();
        assert!(
            kernels.leaves(&body, chunk, last, chunks) == expected,
            "{chunks} chunks of {chunk}, the last of {last}"
        );
    }
}

#[test]
fn roots_of_any_number_of_chunks() {
    let Some(kernels) = super::kernels() else { return };
    for chunks in [1, 2, 3, 4, 5, 7, 8, 9, 16, 33, 63, 64, 65, 127, 128, 129, 300, 1000, 16_385] {
        let leaves: Vec<Node> = (0..chunks).map(|i| tree::leaf(&noise(i, 16))).collect();
        let top = kernels.top(&leaves);
        let right = RootCheck { root: tree::root(leaves.clone()), verdict: 1, chunks: chunks as u32 };
        assert_eq!(kernels.counted(&top, right), ROOT_HOLDS, "{chunks} chunks");
        assert_eq!(kernels.counted(&top, RootCheck { chunks: chunks as u32 + 1, ..right }), 0, "{chunks} chunks");
        assert_eq!(kernels.counted(&top, RootCheck { root: leaves[0], ..right }), 0, "{chunks} chunks");
        for bit in 0..256 {
            let mut wrong = right;
            wrong.root[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(kernels.counted(&top, wrong), 0, "{chunks} chunks, bit {bit}");
        }
    }
}
