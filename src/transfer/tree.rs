//! The tree over a body's sealed chunks, made on the device and compared there.

use super::{
    body::{Split, VerdictSlot, bind},
    queue::Queue,
};
use crate::{
    Error, Result,
    device::{Device, Launch},
    kernel::{
        Kernel, Params, VERDICT_BYTES,
        digest::{self, GROUP_NODES, NODE_BYTES, RootCheck},
    },
    sealed::tree,
};

// What is made here must be what the publisher signed.
const _: () = {
    const fn same(ours: &[u8; 8], theirs: &[u8; 8]) -> bool {
        u64::from_le_bytes(*ours) == u64::from_le_bytes(*theirs)
    }
    assert!(same(digest::LEAF, tree::LEAF) && same(digest::PARENT, tree::PARENT) && same(digest::ROOT, tree::ROOT));
    assert!(NODE_BYTES == tree::NODE_BYTES);
};

/// The nodes of eight groups start where any binding may.
const SPLIT_NODES: u64 = 8 * GROUP_NODES as u64;

/// The root that a body must have, and memory for the tree over its chunks: a level is read in one buffer and the next one written
/// in the other.
pub(super) struct Tree<D: Device> {
    root: tree::Node,
    levels: [D::Buffer; 2],
    /// Nodes that one launch takes.
    step: u64,
}

impl<D: Device> Tree<D> {
    pub(super) fn alloc(device: &D, root: tree::Node, chunks: u64) -> Result<Self> {
        // Known here, because nothing that was recorded can be taken back.
        let step = device.info().max_binding_bytes / bytes(1) / SPLIT_NODES * SPLIT_NODES;
        if step == 0 {
            return Err(Error::Backend("the device's bindings are too small for 1024 nodes of a tree".into()));
        }
        let level = |nodes: u64| device.alloc(bytes(nodes).next_multiple_of(256));
        Ok(Tree { root, levels: [level(chunks)?, level(chunks.div_ceil(GROUP_NODES.into()))?], step })
    }

    /// Records the launches that count the root of a body, bound split by split, if it holds.
    pub(super) fn record(
        &self,
        device: &D,
        queue: &mut Queue<D>,
        splits: &[Split],
        body: &D::Buffer,
        verdict: &VerdictSlot<'_, D>,
    ) {
        let mut count = 0;
        for split in splits {
            let end = count + u64::from(split.params.chunks);
            let bindings = &[bind(body, split.sealed.clone()), bind(&self.levels[0], bytes(count)..bytes(end))];
            queue.launch(device, Launch { kernel: Kernel::HashLeaves, bindings, params: split.params });
            count = end;
        }
        let [mut level, mut above] = [&self.levels[0], &self.levels[1]];
        while count > 1 {
            let groups = |nodes: u64| nodes.div_ceil(GROUP_NODES.into());
            for first in (0..count).step_by(self.step as usize) {
                let end = count.min(first + self.step);
                let written = bytes(groups(first))..bytes(groups(end));
                let bindings = &[bind(level, bytes(first)..bytes(end)), bind(above, written)];
                let params = Params { chunks: (end - first) as u32, ..Params::default() };
                queue.launch(device, Launch { kernel: Kernel::HashNodes, bindings, params });
            }
            (level, above, count) = (above, level, groups(count));
        }
        let chunks = splits.iter().map(|split| split.params.chunks).sum();
        let params = RootCheck { root: self.root, verdict: verdict.index, chunks }.params();
        let verdicts = bind(verdict.buffer, 0..u64::from(verdict.capacity) * VERDICT_BYTES);
        let bindings = &[bind(level, 0..bytes(1)), verdicts];
        queue.launch(device, Launch { kernel: Kernel::CompareRoot, bindings, params });
    }
}

fn bytes(nodes: u64) -> u64 {
    nodes * NODE_BYTES as u64
}
