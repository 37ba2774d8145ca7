// Checks the tags of bound chunks against all their 128 bits and counts those that hold.

// 1 where the chunk's tag is this one. Chunks that are not bound do not count.
DEVICE u32 holds(const Params &p, const Block *body, u32 chunk, Block tag) {
    if (chunk >= p.chunks) {
        return 0;
    }
    const u8 *stored = (const u8 *)(body + sealed_at(p, chunk)) + chunk_length(p, chunk);
    const Block difference = tag ^ load_bytes(stored, 16);
    return declassify((difference.w[0] | difference.w[1] | difference.w[2] | difference.w[3]) == 0);
}

KERNEL(verify, TAG_THREADS)(Params p, const Block *context, const Block *aad, const Block *body, u32 *verdicts) {
    SHARED Block sums[TAG_THREADS];
    chunk_tags(p, context, aad, body, sums);
    EACH_THREAD(thread, TAG_THREADS) {
        if (thread < GROUP_CHUNKS) {
            add_atomically(verdicts + 2 * (u64)p.verdict, holds(p, body, GROUP() * GROUP_CHUNKS + thread, sums[thread * LANES]));
        }
    }
}
