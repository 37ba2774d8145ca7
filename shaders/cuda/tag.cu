// Adds the tags to chunks that seal.cu encrypted, from ciphertext that only it writes.
KERNEL(tag, TAG_THREADS)(Params p, const Block *context, const Block *aad, Block *body) {
    SHARED Block sums[TAG_THREADS];
    const bool ready = usable(p, context);
    chunk_tags(p, context, aad, body, sums);
    EACH_THREAD(thread, TAG_THREADS) {
        const u32 chunk = GROUP() * GROUP_CHUNKS + thread;
        if (thread < GROUP_CHUNKS && chunk < p.chunks && ready) {
            store_bytes((u8 *)(body + sealed_at(p, chunk)) + chunk_length(p, chunk), sums[thread * LANES], 16);
        }
    }
}
