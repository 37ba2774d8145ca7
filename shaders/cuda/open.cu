// Decrypts the bound chunks of a body whose verdict is this launch's token; else writes zeros.
KERNEL(open, CRYPT_THREADS)(Params p, const Block *context, const Block *body, const u32 *verdicts, Block *plaintext) {
    SHARED Block masks[MASK_BLOCKS];
    const bool verified = verdicts[2 * (u64)p.verdict + 1] == p.token && p.token != 0;
    EACH_THREAD(thread, CRYPT_THREADS) {
        for (u32 i = thread; i < MASK_BLOCKS; i += CRYPT_THREADS) {
            masks[i] = context[ROUND_MASKS + i];
        }
    }
    SYNC();
    EACH_THREAD(thread, CRYPT_THREADS) {
        const u32 chunk = GROUP() * GROUP_CHUNKS + thread / LANES, lane = thread % LANES;
        if (chunk < p.chunks) {
            const Block *sealed = body + sealed_at(p, chunk);
            Block *plain = plaintext + plain_at(p, chunk);
            if (verified) {
                crypt_chunk(
                    p, masks, chunk, lane, [&](u32 block, Block key) { plain[block] = sealed[block] ^ key; },
                    // What follows may be the caller's.
                    [&](u32 block, u32 bytes, Block key) { store_bytes((u8 *)(plain + block), sealed[block] ^ key, bytes); });
            } else {
                const u32 length = chunk_length(p, chunk);
                for (u32 block = lane; 16 * (u64)block < length; block += LANES) {
                    if (length - 16 * block >= 16) {
                        plain[block] = {{0, 0, 0, 0}};
                    } else {
                        store_bytes((u8 *)(plain + block), {{0, 0, 0, 0}}, length % 16);
                    }
                }
            }
        }
    }
}
