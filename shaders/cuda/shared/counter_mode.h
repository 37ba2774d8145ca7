// The keystream over bound chunks: 32 threads a chunk, each with 32 blocks; four chunks a block of threads share the round keys.

const u32 LANES = 32;
const u32 GROUP_CHUNKS = 4;
const u32 CRYPT_THREADS = LANES * GROUP_CHUNKS;
const u32 MASK_BLOCKS = 15 * 32;

// The keystream of a thread's blocks `first` + 32 j of a chunk, given to `use` block by block.
template <typename Use>
DEVICE void crypt_chunk(const Params &p, const Block *masks, u32 chunk, u32 lane, Use use) {
    const u32 length = chunk_length(p, chunk);
    const u32 blocks = length / 16 + (length % 16 != 0);
    ROLLED
    for (u32 first = lane; first < blocks; first += LANES * 32) {
        // Counter 1 masks the tag; the data starts at 2.
        const Blocks s = keystream(masks, counter_block(p, chunk, first + 2));
        u32 words[4][32];
        UNROLL
        for (u32 w = 0; w < 4; w++) {
            transpose(s.b + 4 * w, words[w]);
        }
        UNROLL
        for (u32 j = 0; j < 32; j++) {
            const u32 block = first + LANES * j;
            if (block < blocks) {
                use(block, length - 16 * block, Block{{words[0][j], words[1][j], words[2][j], words[3][j]}});
            }
        }
    }
}
