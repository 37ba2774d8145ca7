// The 16-bit floats, as the bits of a binary32. Integers alone, so that every device gives the same bits: WGSL lets floats be flushed,
// rounded either way and assumed finite.

// 1 where the bits are a NaN's.
fn is_nan(bits: u32) -> u32 {
    return nonzero(max(bits & 0x7fffffffu, 0x7f800000u) - 0x7f800000u);
}

// Exact. A NaN keeps sign and payload and becomes quiet.
fn binary32_of_f16(half: u32) -> u32 {
    let magnitude = half & 0x7fffu;
    let exponent = magnitude >> 10u;
    // A subnormal m × 2^-24 is exactly what the conversion of m gives, scaled by its exponent.
    let subnormal = bitcast<u32>(f32(magnitude & 0x3ffu)) - ((24u << 23u) & ones(nonzero(magnitude)));
    let special = (exponent + 1u) >> 5u;
    let normal = (magnitude << 13u) + (112u << 23u) + ((112u << 23u) & ones(special));
    let bits = chosen(nonzero(exponent), normal, subnormal);
    return ((half & 0x8000u) << 16u) | bits | (is_nan(bits) << 22u);
}

// Exact, likewise.
fn binary32_of_bf16(half: u32) -> u32 {
    let bits = half << 16u;
    return bits | (is_nan(bits) << 22u);
}

// To nearest, ties to even; what is too large becomes infinite. A NaN keeps its sign and the upper bits of its payload and
// becomes quiet.
fn f16_of_binary32(bits: u32) -> u32 {
    let magnitude = bits & 0x7fffffffu;
    let exponent = max(magnitude >> 23u, 1u);
    let significand = (magnitude & 0x7fffffu) | (nonzero(magnitude >> 23u) << 23u);
    // Below 2^-14 (exponent 113) results are subnormal; past 15 more bits there is nothing left to round up.
    let more = min(113u - min(exponent, 113u), 15u);
    let finite = ((max(exponent, 113u) - 113u) << 10u) + rounded(shifted_sticky(significand, more), 13u);
    let nan = (0x200u | ((magnitude >> 13u) & 0x3ffu)) & ones(is_nan(bits));
    return ((bits >> 16u) & 0x8000u) | min(finite, 0x7c00u) | nan;
}

// Likewise.
fn bf16_of_binary32(bits: u32) -> u32 {
    let magnitude = bits & 0x7fffffffu;
    let half = chosen(is_nan(bits), (magnitude >> 16u) | 0x40u, rounded(magnitude, 16u));
    return ((bits >> 16u) & 0x8000u) | half;
}
