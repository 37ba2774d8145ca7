// The keystream over bound chunks: 32 threads a chunk, each with 32 blocks; four chunks a block of threads share the round keys.

const u32 LANES = 32;
const u32 GROUP_CHUNKS = 4;
const u32 CRYPT_THREADS = LANES * GROUP_CHUNKS;
const u32 MASK_BLOCKS = 15 * 32;

// The keystream of a thread's blocks of a chunk, given to `whole` block by block, and to `part` with the bytes there are of the last.
template <typename Whole, typename Part>
DEVICE void crypt_chunk(const Params &p, const Block *masks, u32 chunk, u32 lane, Whole whole, Part part) {
    const u32 blocks = chunk_length(p, chunk) / 16, rest = chunk_length(p, chunk) % 16;
    ROLLED
    for (u32 first = lane; first < blocks + (rest != 0); first += LANES * 32) {
        // Counter 1 masks the tag; the data starts at 2.
        const Blocks s = keystream(masks, counter_block(p, chunk, first + 2));
        u32 words[4][32];
        UNROLL
        for (u32 w = 0; w < 4; w++) {
            transpose(s.b + 4 * w, words[w]);
        }
        // The last block, where it is not whole, comes out of this; the text of all 32 stays short.
        Block last = {{0, 0, 0, 0}};
        UNROLL
        for (u32 j = 0; j < 32; j++) {
            const u32 block = first + LANES * j;
            const Block key = {{words[0][j], words[1][j], words[2][j], words[3][j]}};
            if (block < blocks) {
                whole(block, key);
            }
            const u32 is_last = 0u - (u32)(block == blocks);
            last = last ^ Block{{key.w[0] & is_last, key.w[1] & is_last, key.w[2] & is_last, key.w[3] & is_last}};
        }
        if (rest != 0 && blocks >= first && blocks - first < LANES * 32 && (blocks - first) % LANES == 0) {
            part(blocks, rest, last);
        }
    }
}
