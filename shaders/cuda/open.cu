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
            if (verified) {
                crypt_chunk(p, masks, chunk, lane, body, sealed_at, plaintext, plain_at);
            } else {
                Block *plain = plaintext + plain_at(p, chunk);
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
