// Branchless arithmetic on tensors' elements. Elements are secret: no shift amount and no choice depends on one, only masks do.

// Threads of a block, each of which makes one word of the output.
const u32 OPS_THREADS = 256;

DEVICE u32 least(u32 a, u32 b) {
    return a < b ? a : b;
}

DEVICE u32 most(u32 a, u32 b) {
    return a > b ? a : b;
}

// 1 where a value is not 0.
DEVICE u32 nonzero(u32 value) {
    return least(value, 1);
}

// All ones where a bit is 1.
DEVICE u32 ones(u32 bit) {
    return 0u - bit;
}

// `yes` where a bit is 1, else `no`.
DEVICE u32 chosen(u32 bit, u32 yes, u32 no) {
    return no ^ ((no ^ yes) & ones(bit));
}

// value >> amount, amount below 32; the lowest bit is 1 where it or any bit shifted out was, so that what is rounded later is rounded
// right.
DEVICE u32 shifted_sticky(u32 value, u32 amount) {
    UNROLL
    for (u32 step = 16; step > 0; step >>= 1) {
        const u32 out = nonzero(value & ((1u << step) - 1));
        value = chosen(nonzero(amount & step), (value >> step) | out, value);
    }
    return value;
}

// value >> bits rounded to nearest, ties to even (IEEE 754 section 4.3.1). `bits` is public.
DEVICE u32 rounded(u32 value, u32 bits) {
    const u32 kept = value >> bits;
    const u32 cut = value & ((1u << bits) - 1);
    return kept + ((cut + (1u << (bits - 1)) - 1 + (kept & 1)) >> bits);
}

// Where the `at`-th element starts in its word, of which 1 << split lie in one.
DEVICE u32 shift_of(u32 at, u32 split) {
    return (at & ((1u << split) - 1)) << (5 - split);
}

// The bits of such an element.
DEVICE u32 bits_of(u32 split) {
    return ~0u >> (32 - (32u >> split));
}
