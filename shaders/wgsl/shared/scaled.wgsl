// n × s for a whole number |n| ≤ 255 and the bits of a binary32 s: the product that IEEE 754 gives, to nearest, ties to even, by integers
// alone. Every NaN is 0x7fc00000.
fn scaled(n: i32, s: u32) -> u32 {
    let magnitude = s & 0x7fffffffu;
    let exponent = max(magnitude >> 23u, 1u);
    let significand = (magnitude & 0x7fffffu) | (nonzero(magnitude >> 23u) << 23u);
    let factor = u32(abs(n));
    // 24 bits by 8, so exact; then its highest bit is brought to bit 31.
    var product = significand * factor;
    let is_zero = 1u - nonzero(product);
    var zeros = 0u;
    for (var step = 16u; step > 0u; step >>= 1u) {
        let free = 1u - nonzero(product >> (32u - step));
        product = chosen(free, product << step, product);
        zeros += free * step;
    }
    // The result's exponent, 32 too large; where it would be 0 or less, the result is subnormal.
    let wanted = exponent + 40u - zeros;
    let more = 33u - min(wanted, 33u);
    let base = (max(wanted, 33u) - 33u) & ~ones(is_zero);
    let finite = (base << 23u) + rounded(shifted_sticky(product, more), 8u);
    let special = ((magnitude >> 23u) + 1u) >> 8u;
    let nan = is_nan(s) | (special & (1u - nonzero(factor)));
    let sign = (s ^ bitcast<u32>(n)) & 0x80000000u;
    return chosen(nan, 0x7fc00000u, sign | min(finite, 0x7f800000u));
}
