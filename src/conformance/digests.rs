//! The tree over sealed chunks (docs/sealed-format.md, "Roots"), kernel by kernel, against the tree by the book.

use core::ops::Range;

use super::{noise, read, write};
use crate::{
    Error, Result,
    device::{Binding, Device, Launch},
    kernel::{
        Kernel, Params, TAG_BYTES, VERDICT_BYTES,
        digest::{GROUP_NODES, NODE_BYTES, ROOT_HOLDS, RootCheck},
    },
    sealed::tree,
};

/// Leaves of chunks that end anywhere in SHA3-256's blocks of 136 bytes, at their ends and beside.
pub async fn leaves_of_any_length<D: Device>(device: &D) {
    // Length of the chunks and of the last one, and how many there are.
    let lone = [0, 1, 7, 8, 15, 16, 103, 104, 105, 111, 112, 119, 120, 135, 136, 137, 239, 240, 247, 248, 255, 256];
    let many = [(16, 5, 1), (48, 0, 9), (1024, 17, 70), (16_384, 0, 2), (16_384, 16_383, 3), (16_384, 15, 15)];
    let large = [16_367, 16_368, 16_383, 16_384].map(|last| (16_384, last, 1));
    for (chunk, last, chunks) in lone.map(|last| (16_384, last, 1)).into_iter().chain(many).chain(large) {
        let body = noise(u64::from(chunk + last), ((chunks - 1) * (chunk + 16) + last + 16) as usize);
        let expected: Vec<u8> = body.chunks(chunk as usize + TAG_BYTES).flat_map(tree::leaf).collect();
        let nodes = leaves(device, &body, chunk, last, chunks).await;
        let found = read(device, &nodes, 0..expected.len() as u64).await;
        assert!(found == expected, "{chunks} chunks of {chunk}, the last of {last}");
    }
}

/// Roots over any number of chunks hold, and no other root does.
pub async fn roots_of_any_number_of_chunks<D: Device>(device: &D) {
    let group = GROUP_NODES as usize;
    let few = [1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 31, 33, 63, 64, 65, 100];
    for chunks in few.into_iter().chain([group - 1, group, group + 1, 2 * group + 3, 1000, group * group + 1]) {
        let leaves: Vec<tree::Node> = (0..chunks as u64).map(|i| tree::leaf(&noise(i, 16))).collect();
        let root = tree::root(leaves.clone());
        let top = top(device, &leaves).await;
        let right = RootCheck { root, verdict: 0, chunks: chunks as u32 };
        let more = RootCheck { chunks: chunks as u32 + 1, ..right };
        let unfinished = RootCheck { root: leaves[0], ..right };
        assert_eq!(compared(device, &top, &[right, more, unfinished]).await, [ROOT_HOLDS, 0, 0], "{chunks} chunks");
    }
}

/// All 256 bits of a root are compared, and what holds adds up beside what was counted.
pub async fn roots_are_compared_whole<D: Device>(device: &D) {
    let leaves: Vec<tree::Node> = (0..3).map(|i| tree::leaf(&noise(i, 16))).collect();
    let top = top(device, &leaves).await;
    let right = RootCheck { root: tree::root(leaves), verdict: 0, chunks: 3 };
    let mut checks = vec![right; 257];
    for (bit, check) in checks[1..].iter_mut().enumerate() {
        check.root[bit / 8] ^= 1 << (bit % 8);
    }
    let counted = compared(device, &top, &checks).await;
    assert!(counted[0] == ROOT_HOLDS && counted[1..].iter().all(|&count| count == 0));
}

/// Nothing to hash, bindings too short and outputs that are inputs are errors.
pub async fn impossible_digests_are_refused<D: Device>(device: &D) {
    let (from, to) = (device.alloc(1024).expect("allocates"), device.alloc(1024).expect("allocates"));
    let chunk = Params { chunks: 2, chunk_bytes: 240, last_bytes: 100, ..Params::default() };
    let nodes = Params { chunks: GROUP_NODES / 8, ..Params::default() };
    let check = RootCheck { root: [1; NODE_BYTES], verdict: 3, chunks: 1 }.params();
    for (kernel, params, read, written) in [
        (Kernel::HashLeaves, chunk, 372, 64),
        (Kernel::HashNodes, nodes, 512, 32),
        (Kernel::CompareRoot, check, 32, 4 * VERDICT_BYTES),
    ] {
        let run = async |params, (one, read): (&D::Buffer, u64), (other, written): (&D::Buffer, u64)| {
            launch(device, kernel, &[(one, 0..read), (other, 0..written)], params).await
        };
        let refused = |ran: Result<()>| assert!(matches!(ran, Err(Error::Backend(_))), "{kernel:?}: {ran:?}");
        run(params, (&from, read), (&to, written)).await.expect("runs");
        refused(run(params, (&from, read - 1), (&to, written)).await);
        refused(run(params, (&from, read), (&to, written - 1)).await);
        refused(run(params, (&from, read), (&from, written)).await);
        if kernel != Kernel::CompareRoot {
            refused(run(Params::default(), (&from, read), (&to, written)).await);
        }
    }
}

/// The leaves of a body's chunks, in device memory.
async fn leaves<D: Device>(device: &D, body: &[u8], chunk: u32, last: u32, chunks: u32) -> D::Buffer {
    let sealed = device.alloc((body.len() as u64).next_multiple_of(16)).expect("allocates");
    write(device, &sealed, 0, body).await;
    let bytes = u64::from(chunks) * NODE_BYTES as u64;
    let nodes = device.alloc(bytes).expect("allocates");
    let params = Params { chunks, chunk_bytes: chunk, last_bytes: last, ..Params::default() };
    let bindings = [(&sealed, 0..body.len() as u64), (&nodes, 0..bytes)];
    launch(device, Kernel::HashLeaves, &bindings, params).await.expect("runs");
    nodes
}

/// The top of the tree over leaves, by launches of seven levels each, of as many nodes as a binding takes.
async fn top<D: Device>(device: &D, leaves: &[tree::Node]) -> D::Buffer {
    let bytes = |nodes: u32| u64::from(nodes) * NODE_BYTES as u64;
    let mut count = leaves.len() as u32;
    let mut level = device.alloc(bytes(count)).expect("allocates");
    write(device, &level, 0, &leaves.concat()).await;
    while count > 1 {
        let groups = count.div_ceil(GROUP_NODES);
        let above = device.alloc(bytes(groups)).expect("allocates");
        // Eight groups' nodes start where any binding may.
        let step = device.info().max_binding_bytes.min(1 << 20) as u32 / 32 / (8 * GROUP_NODES) * 8 * GROUP_NODES;
        for first in (0..count).step_by(step as usize) {
            let end = count.min(first + step);
            let written = bytes(first / GROUP_NODES)..bytes(end.div_ceil(GROUP_NODES));
            let bindings = [(&level, bytes(first)..bytes(end)), (&above, written)];
            let params = Params { chunks: end - first, ..Params::default() };
            launch(device, Kernel::HashNodes, &bindings, params).await.expect("runs");
        }
        (level, count) = (above, groups);
    }
    level
}

/// What each check adds to a counter of its own.
async fn compared<D: Device>(device: &D, top: &D::Buffer, checks: &[RootCheck]) -> Vec<u32> {
    let bytes = checks.len() as u64 * VERDICT_BYTES;
    let verdicts = device.alloc(bytes.next_multiple_of(16)).expect("allocates");
    let mut batch = device.batch();
    for (verdict, check) in (0..).zip(checks) {
        let binding = |buffer, range| Binding { buffer, range };
        let bindings = &[binding(top, 0..NODE_BYTES as u64), binding(&verdicts, 0..bytes)];
        let params = RootCheck { verdict, ..*check }.params();
        device.launch(&mut batch, Launch { kernel: Kernel::CompareRoot, bindings, params });
    }
    let fence = device.submit(batch).expect("submits");
    device.wait(fence).await.expect("runs");
    let words = read(device, &verdicts, 0..bytes).await;
    assert!(words.as_chunks::<8>().0.iter().all(|[.., a, b, c, d]| [*a, *b, *c, *d] == [0; 4]), "no verdict is given");
    words.as_chunks::<8>().0.iter().map(|[a, b, c, d, ..]| u32::from_le_bytes([*a, *b, *c, *d])).collect()
}

async fn launch<D: Device>(
    device: &D,
    kernel: Kernel,
    bindings: &[(&D::Buffer, Range<u64>)],
    params: Params,
) -> Result<()> {
    let bindings: Vec<_> =
        bindings.iter().map(|(buffer, range)| Binding { buffer: *buffer, range: range.clone() }).collect();
    let mut batch = device.batch();
    device.launch(&mut batch, Launch { kernel, bindings: &bindings, params });
    device.wait(device.submit(batch)?).await.map(drop)
}
