//! The tree over a body's sealed chunks, whose root its publisher signed (docs/sealed-format.md, "Roots").

use super::Params;

/// Length of a node: SHA3-256.
pub const NODE_BYTES: usize = 32;
/// What a leaf's message starts with; the sealed chunk follows.
pub const LEAF: &[u8; 8] = b"pqgtleaf";
/// What a parent's message starts with; its two children follow.
pub const PARENT: &[u8; 8] = b"pqgtnode";
/// What the root's message starts with; the number of chunks (8 bytes, big-endian) and the top follow.
pub const ROOT: &[u8; 8] = b"pqgtroot";
/// How many neighbours one [`super::Kernel::HashNodes`] makes one node of: seven levels.
pub const GROUP_NODES: u32 = 128;

/// What [`super::Kernel::CompareRoot`] adds to a body's counter where the root holds: more than any number of chunks.
pub const ROOT_HOLDS: u32 = 1 << 31;

/// The parameters of [`super::Kernel::CompareRoot`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RootCheck {
    /// The root that the publisher signed.
    pub root: [u8; NODE_BYTES],
    /// Which verdict of the bound verdicts is meant.
    pub verdict: u32,
    /// The body's chunk count.
    pub chunks: u32,
}

impl RootCheck {
    /// The 16 words: the root in eight, little-endian, the verdict, the chunks, zeros.
    pub fn params(&self) -> Params {
        let mut words = [0; 16];
        let root = self.root.as_chunks().0.iter().map(|word| u32::from_le_bytes(*word));
        words.iter_mut().zip(root.chain([self.verdict, self.chunks])).for_each(|(to, word)| *to = word);
        Params::from_words(words)
    }

    /// What parameters say: the inverse of [`RootCheck::params`].
    pub fn read(params: &Params) -> Self {
        let words = params.words();
        let mut root = [0; NODE_BYTES];
        root.as_chunks_mut().0.iter_mut().zip(words).for_each(|(to, word)| *to = word.to_le_bytes());
        RootCheck { root, verdict: words[8], chunks: words[9] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_read_as_they_were_written() {
        let root = core::array::from_fn(|i| 200 - i as u8);
        let check = RootCheck { root, verdict: 7, chunks: 1 << 22 };
        assert_eq!(RootCheck::read(&check.params()), check);
        assert_eq!(check.params().words()[..2], [0xc5c6_c7c8, 0xc1c2_c3c4]);
        assert_eq!(check.params().verdict, 7, "where every kernel has it");
    }
}
