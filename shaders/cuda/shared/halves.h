// The 16-bit floats, as the bits of a binary32. Integers alone: twins on other devices, whose floats may be flushed and rounded either way,
// give the same bits.

// 1 where the bits are a NaN's.
DEVICE u32 is_nan(u32 bits) {
    return nonzero(most(bits & 0x7fffffffu, 0x7f800000u) - 0x7f800000u);
}

// The bits of a whole number's binary32, |n| < 2^10: exact.
DEVICE u32 binary32_of(int n) {
    return float_bits((float)n);
}

// Exact. A NaN keeps sign and payload and becomes quiet.
DEVICE u32 binary32_of_f16(u32 half) {
    const u32 magnitude = half & 0x7fffu;
    const u32 exponent = magnitude >> 10;
    // A subnormal m x 2^-24 is exactly what the conversion of m gives, scaled by its exponent.
    const u32 subnormal = binary32_of(magnitude & 0x3ffu) - ((24u << 23) & ones(nonzero(magnitude)));
    const u32 special = (exponent + 1) >> 5;
    const u32 normal = (magnitude << 13) + (112u << 23) + ((112u << 23) & ones(special));
    const u32 bits = chosen(nonzero(exponent), normal, subnormal);
    return ((half & 0x8000u) << 16) | bits | (is_nan(bits) << 22);
}

// Exact, likewise.
DEVICE u32 binary32_of_bf16(u32 half) {
    const u32 bits = half << 16;
    return bits | (is_nan(bits) << 22);
}

// To nearest, ties to even; what is too large becomes infinite. A NaN keeps its sign and the upper bits of its payload and
// becomes quiet.
DEVICE u32 f16_of_binary32(u32 bits) {
    const u32 magnitude = bits & 0x7fffffffu;
    const u32 exponent = most(magnitude >> 23, 1);
    const u32 significand = (magnitude & 0x7fffffu) | (nonzero(magnitude >> 23) << 23);
    // Below 2^-14 (exponent 113) results are subnormal; past 15 more bits there is nothing left to round up.
    const u32 more = least(113 - least(exponent, 113), 15);
    const u32 finite = ((most(exponent, 113) - 113) << 10) + rounded(shifted_sticky(significand, more), 13);
    const u32 nan = (0x200u | ((magnitude >> 13) & 0x3ffu)) & ones(is_nan(bits));
    return ((bits >> 16) & 0x8000u) | least(finite, 0x7c00u) | nan;
}

// Likewise.
DEVICE u32 bf16_of_binary32(u32 bits) {
    const u32 magnitude = bits & 0x7fffffffu;
    const u32 half = chosen(is_nan(bits), (magnitude >> 16) | 0x40u, rounded(magnitude, 16));
    return ((bits >> 16) & 0x8000u) | half;
}
