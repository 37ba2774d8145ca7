// Encrypts the bound chunks into their places in a body; tag.cu then adds their tags. Writes zeros where the context is not usable.
KERNEL(seal, CRYPT_THREADS)(Params p, const Block *context, const Block *plaintext, Block *body) {
    SHARED Block masks[MASK_BLOCKS];
    const bool ready = usable(p, context);
    EACH_THREAD(thread, CRYPT_THREADS) {
        for (u32 i = thread; i < MASK_BLOCKS; i += CRYPT_THREADS) {
            masks[i] = context[ROUND_MASKS + i];
        }
    }
    SYNC();
    EACH_THREAD(thread, CRYPT_THREADS) {
        const u32 chunk = GROUP() * GROUP_CHUNKS + thread / LANES, lane = thread % LANES;
        if (chunk < p.chunks) {
            if (ready) {
                crypt_chunk(p, masks, chunk, lane, plaintext, plain_at, body, sealed_at);
            }
            Block *sealed = body + sealed_at(p, chunk);
            const u32 length = chunk_length(p, chunk);
            if (!ready) {
                for (u32 block = lane; 16 * (u64)block < length; block += LANES) {
                    store_bytes((u8 *)(sealed + block), {{0, 0, 0, 0}}, length - 16 * block < 16 ? length - 16 * block : 16);
                }
            }
            if (lane == 0) {
                store_bytes((u8 *)sealed + length, {{0, 0, 0, 0}}, 16);
            }
        }
    }
}
