//! The tree over sealed chunks on the CPU: SHA3-256 by the sha3 crate, on all cores. Nothing in it is secret.

use core::convert::Infallible;

use sha3::{Digest, Sha3_256};

use super::kernels::Layout;
use crate::{
    kernel::{
        Params, TAG_BYTES,
        digest::{GROUP_NODES, LEAF, NODE_BYTES, PARENT, ROOT, RootCheck},
    },
    parallel,
};

type Node = [u8; NODE_BYTES];

/// The leaf of each bound chunk.
pub(super) fn hash_leaves(body: &[u8], nodes: &mut [u8], params: &Params) -> Option<()> {
    let layout = Layout::of(params)?;
    let sealed = body.get(..layout.sealed)?;
    let nodes = nodes.get_mut(..(params.chunks as usize).checked_mul(NODE_BYTES)?)?.as_chunks_mut().0;
    let leaves = sealed.chunks(layout.chunk + TAG_BYTES).zip(nodes);
    let leaf = |(chunk, to): (&[u8], &mut Node)| *to = hash(LEAF, chunk, &[]);
    // A leaf takes ten times as long as to decrypt its chunk, so other threads are worth waking for a few.
    if params.chunks < 4 {
        leaves.for_each(leaf);
        return Some(());
    }
    let done = parallel::each(leaves.collect(), |work| {
        leaf(work);
        Ok::<_, Infallible>(())
    });
    match done {
        Ok(()) => {}
        Err(never) => match never {},
    }
    Some(())
}

/// One node of each [`GROUP_NODES`] bound, or of as many as are left.
pub(super) fn hash_nodes(nodes: &[u8], above: &mut [u8], params: &Params) -> Option<()> {
    let count = params.chunks as usize;
    let nodes = nodes.get(..count.checked_mul(NODE_BYTES)?).filter(|nodes| !nodes.is_empty())?.as_chunks().0;
    let above = above.get_mut(..count.div_ceil(GROUP_NODES as usize) * NODE_BYTES)?.as_chunks_mut().0;
    for (group, to) in nodes.chunks(GROUP_NODES as usize).zip(above) {
        let mut level: Vec<Node> = group.to_vec();
        while level.len() > 1 {
            let pair = |pair: &[Node]| match pair {
                [left, right] => hash(PARENT, left, right),
                pair => pair[0],
            };
            level = level.chunks(2).map(pair).collect();
        }
        *to = level[0];
    }
    Some(())
}

/// Whether the root over the top node is the one meant.
pub(super) fn root_holds(top: &[u8], check: &RootCheck) -> Option<bool> {
    let top: &Node = top.first_chunk()?;
    Some(hash(ROOT, &u64::from(check.chunks).to_be_bytes(), top) == check.root)
}

fn hash(domain: &[u8; 8], first: &[u8], second: &[u8]) -> Node {
    Sha3_256::new().chain_update(domain).chain_update(first).chain_update(second).finalize().into()
}
