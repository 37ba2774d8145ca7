// Blocks of 32 elements with a scale each, Q8_0 and Q4_0 of GGML, to binary32. A thread makes one element.

struct BlocksParams {
    u32 blocks;
    // Which is also the format's number.
    u32 block_bytes;
    u32 unused[14];
};

const u32 Q8_0 = 34;

KERNEL(dequantize_blocks, OPS_THREADS)(BlocksParams p, const u32 *input, u32 *output) {
    EACH_THREAD(thread, OPS_THREADS) {
        const u32 word = GROUP() * OPS_THREADS + thread;
        const u32 block = word / 32, at = word % 32;
        if (block < p.blocks) {
            const u8 *start = (const u8 *)input + (u64)block * p.block_bytes;
            int q;
            if (p.block_bytes == Q8_0) {
                q = (int)((u32)start[2 + at] << 24) >> 24;
            } else {
                q = (int)((start[2 + at % 16] >> (at / 16 * 4)) & 15) - 8;
            }
            output[word] = scaled(q, binary32_of_f16(start[0] | ((u32)start[1] << 8)));
        }
    }
}
