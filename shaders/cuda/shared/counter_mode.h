// The keystream over bound chunks: 32 threads a chunk, each with 32 blocks; four chunks a block of threads share the round keys.

const u32 LANES = 32;
const u32 GROUP_CHUNKS = 4;
const u32 CRYPT_THREADS = LANES * GROUP_CHUNKS;
const u32 MASK_BLOCKS = 15 * 32;

// A thread's blocks of a chunk, from one buffer to another; a function for each says where in it a chunk starts. What follows the chunk
// in `to` may be the caller's.
template <typename FromAt, typename ToAt>
DEVICE void crypt_chunk(const Params &p, const Block *masks, u32 chunk, u32 lane, const Block *from, FromAt from_at,
                        Block *to, ToAt to_at) {
    ROLLED
    for (u32 first = lane; 16 * (u64)first < chunk_length(p, chunk); first += LANES * 32) {
        // Counter 1 masks the tag; the data starts at 2.
        Block counter = counter_block(p, chunk, first + 2);
        UNROLL
        for (u32 i = 0; i < 4; i++) {
            COMPUTED_HERE(counter.w[i]);
        }
        const Blocks s = keystream(masks, counter);
        // The rounds take all registers: nothing that can be computed behind them is kept over them.
        COMPUTED_HERE(chunk);
        COMPUTED_HERE(first);
        const u32 left = chunk_length(p, chunk) / 16 - first, rest = chunk_length(p, chunk) % 16;
        const Block *in = from + from_at(p, chunk) + first;
        Block *out = to + to_at(p, chunk) + first;
        u32 words[4][32];
        UNROLL
        for (u32 w = 0; w < 4; w++) {
            transpose(s.b + 4 * w, words[w]);
        }
        // The last block, where it is not whole, comes out of this; the text of all 32 stays short.
        Block last = {{0, 0, 0, 0}};
        // Four reads on their way at once: for eight there are no registers.
        UNROLL
        for (u32 group = 0; group < 32; group += 4) {
            Block data[4];
            UNROLL
            for (u32 j = 0; j < 4; j++) {
                const u32 ahead = LANES * (group + j);
                if (ahead < left) {
                    data[j] = in[ahead];
                }
            }
            UNROLL
            for (u32 j = 0; j < 4; j++) {
                const u32 i = group + j, ahead = LANES * i;
                const Block key = {{words[0][i], words[1][i], words[2][i], words[3][i]}};
                if (ahead < left) {
                    out[ahead] = data[j] ^ key;
                }
                const u32 is_last = 0u - (u32)(ahead == left);
                last = last ^ Block{{key.w[0] & is_last, key.w[1] & is_last, key.w[2] & is_last, key.w[3] & is_last}};
            }
        }
        if (rest != 0 && left < LANES * 32 && left % LANES == 0) {
            store_bytes((u8 *)(out + left), load_bytes((const u8 *)(in + left), rest) ^ last, rest);
        }
    }
}
