// Compares a body's root (docs/sealed-format.md, "Roots") with the one that was signed, all its 256 bits, and adds 2^31 to the body's counter where
// they are the same: no number of chunks whose tags hold can stand in for the root.

// `RootCheck` in src/kernel/digest.rs, word for word.
struct RootCheck {
    u32 root[8];
    u32 verdict;
    u32 chunks;
    u32 zero[6];
};

KERNEL(compare_root, 1)(RootCheck p, const u64 *top, u32 *verdicts) {
    // SHA3-256("pqgtroot" ‖ chunks as 8 bytes ‖ top).
    State s = begin(ROOT);
    s.a[1] = (u64)swap_bytes(p.chunks) << 32;
    UNROLL
    for (u32 i = 0; i < 4; i++) {
        s.a[2 + i] = top[i];
    }
    s.a[6] = FIRST_MARK;
    s.a[16] = LAST_MARK;
    permute(s);
    u64 differs = 0;
    UNROLL
    for (u32 i = 0; i < 4; i++) {
        differs |= s.a[i] ^ (((u64)p.root[2 * i + 1] << 32) | p.root[2 * i]);
    }
    verdicts[2 * (u64)p.verdict] += (u32)(differs == 0) << 31;
}
