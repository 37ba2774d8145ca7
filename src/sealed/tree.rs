//! The tree over a body's sealed chunks whose root the publisher signs (docs/sealed-format.md, "Roots").

use sha3::{Digest, Sha3_256};

/// Length of a node.
pub const NODE_BYTES: usize = 32;
/// A node of the tree: SHA3-256.
pub type Node = [u8; NODE_BYTES];

pub(crate) const LEAF: &[u8; 8] = b"pqgtleaf";
pub(crate) const PARENT: &[u8; 8] = b"pqgtnode";
pub(crate) const ROOT: &[u8; 8] = b"pqgtroot";

/// The leaf of a chunk, its tag included.
pub fn leaf(chunk: &[u8]) -> Node {
    Sha3_256::new().chain_update(LEAF).chain_update(chunk).finalize().into()
}

/// The root over the leaves of all chunks in order. A body has at least one chunk; no leaves have no root of their own, and
/// what this gives for them no body has.
pub fn root(mut level: Vec<Node>) -> Node {
    let chunks = level.len() as u64;
    while level.len() > 1 {
        level =
            level.chunks(2).map(|pair| if let [left, right] = pair { parent(left, right) } else { pair[0] }).collect();
    }
    let top = level.first().copied().unwrap_or_default();
    Sha3_256::new().chain_update(ROOT).chain_update(chunks.to_be_bytes()).chain_update(top).finalize().into()
}

fn parent(left: &Node, right: &Node) -> Node {
    Sha3_256::new().chain_update(PARENT).chain_update(left).chain_update(right).finalize().into()
}
