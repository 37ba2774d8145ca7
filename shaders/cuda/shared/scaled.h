// n x s for a whole number |n| <= 255 and the bits of a binary32 s: the product that IEEE 754 gives, to nearest, ties to even, by integers
// alone. Every NaN is 0x7fc00000.
DEVICE u32 scaled(int n, u32 s) {
    const u32 magnitude = s & 0x7fffffffu;
    const u32 exponent = most(magnitude >> 23, 1);
    const u32 significand = (magnitude & 0x7fffffu) | (nonzero(magnitude >> 23) << 23);
    const u32 negative = (u32)n >> 31;
    const u32 factor = ((u32)n ^ ones(negative)) + negative;
    // 24 bits by 8, so exact; then its highest bit is brought to bit 31.
    u32 product = significand * factor;
    const u32 is_zero = 1 - nonzero(product);
    u32 zeros = 0;
    UNROLL
    for (u32 step = 16; step > 0; step >>= 1) {
        const u32 free = 1 - nonzero(product >> (32 - step));
        product = chosen(free, product << step, product);
        zeros += ones(free) & step;
    }
    // The result's exponent, 32 too large; where it would be 0 or less, the result is subnormal.
    const u32 wanted = exponent + 40 - zeros;
    const u32 more = 33 - least(wanted, 33);
    const u32 base = (most(wanted, 33) - 33) & ~ones(is_zero);
    const u32 finite = (base << 23) + rounded(shifted_sticky(product, more), 8);
    const u32 special = ((magnitude >> 23) + 1) >> 8;
    const u32 nan = is_nan(s) | (special & (1 - nonzero(factor)));
    const u32 sign = (s ^ (u32)n) & 0x80000000u;
    return chosen(nan, 0x7fc00000u, sign | least(finite, 0x7f800000u));
}
