// The leaf of each bound chunk with its tag: SHA3-256("pqgtleaf" ‖ chunk), one thread a chunk (docs/sealed-format.md, "Roots").

const u32 LEAF_THREADS = 64;

// A lane of the last block: what is left of the chunk, the mark behind it, zeros.
DEVICE u64 last_lane(const u64 *chunk, u32 bytes, u32 lane) {
    const u32 start = 8 * lane;
    if (start > bytes) {
        return 0;
    }
    const u32 kept = bytes - start;
    if (kept >= 8) {
        return chunk[lane];
    }
    const u64 mark = FIRST_MARK << (8 * kept);
    return kept == 0 ? mark : (chunk[lane] & ((1ull << (8 * kept)) - 1)) | mark;
}

// Lane k of the message is lane k - 1 of the chunk.
DEVICE State hash_chunk(const u64 *chunk, u32 bytes) {
    State s = begin(LEAF);
    const u32 full = (bytes + 8) / 136;
    ROLLED
    for (u32 block = 0; block <= full; block++) {
        const u32 lane = 17 * block;
        if (block < full) {
            if (block > 0) {
                s.a[0] ^= chunk[lane - 1];
            }
            UNROLL
            for (u32 i = 1; i < 17; i++) {
                s.a[i] ^= chunk[lane + i - 1];
            }
        } else {
            if (block > 0) {
                s.a[0] ^= last_lane(chunk, bytes, lane - 1);
            }
            UNROLL
            for (u32 i = 1; i < 17; i++) {
                s.a[i] ^= last_lane(chunk, bytes, lane + i - 1);
            }
            s.a[16] ^= LAST_MARK;
        }
        permute(s);
    }
    return s;
}

KERNEL(hash_leaves, LEAF_THREADS)(Params p, const u64 *body, u64 *nodes) {
    EACH_THREAD(thread, LEAF_THREADS) {
        const u32 chunk = GROUP() * LEAF_THREADS + thread;
        if (chunk < p.chunks) {
            const State s = hash_chunk(body + 2 * sealed_at(p, chunk), chunk_length(p, chunk) + 16);
            UNROLL
            for (u32 i = 0; i < 4; i++) {
                nodes[4 * (u64)chunk + i] = s.a[i];
            }
        }
    }
}
