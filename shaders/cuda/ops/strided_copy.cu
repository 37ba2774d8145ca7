// Elements in another order, or some of them: transpose, permute and slice are strides. What is bound of the input may be a part; output
// elements whose input is not bound are left as they are. Which bytes move where is public, the bytes are not.

struct CopyParams {
    u32 count;
    u32 first;
    u32 element_bytes;
    u32 offset;
    u32 window_first;
    u32 window_count;
    u32 unused[2];
    u32 extents[4];
    u32 strides[4];
};

// The input element of an output element.
DEVICE u32 source_of(const CopyParams &p, u32 index) {
    const u32 last = index / p.extents[3], third = last / p.extents[2], second = third / p.extents[1];
    return p.offset + second * p.strides[0] + third % p.extents[1] * p.strides[1] + last % p.extents[2] * p.strides[2] +
           index % p.extents[3] * p.strides[3];
}

KERNEL(strided_copy, OPS_THREADS)(CopyParams p, const u32 *input, u32 *output) {
    EACH_THREAD(thread, OPS_THREADS) {
        const u32 word = GROUP() * OPS_THREADS + thread;
        // A word holds one element or several, or is a half of one.
        const u32 halves = p.element_bytes == 8, split = p.element_bytes == 1 ? 2 : p.element_bytes == 2 ? 1 : 0;
        const u64 start = (u64)(word >> halves) << split;
        if (start < p.count) {
            const u32 there = least(1u << split, p.count - (u32)start);
            u32 made = 0, mask = 0;
            ROLLED
            for (u32 i = 0; i < there; i++) {
                // Below `window_first` this wraps round, past every window.
                const u32 source = source_of(p, p.first + (u32)start + i) - p.window_first;
                if (source < p.window_count) {
                    const u64 at = ((u64)(source >> split) << halves) + (word & halves);
                    const u32 value = (input[at] >> shift_of(source, split)) & bits_of(split);
                    made |= value << shift_of(i, split);
                    mask |= bits_of(split) << shift_of(i, split);
                }
            }
            output[word] = (output[word] & ~mask) | made;
        }
    }
}
