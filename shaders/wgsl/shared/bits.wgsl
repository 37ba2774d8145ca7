// Branchless arithmetic on tensors' elements. Elements are secret: no shift amount and no choice depends on one, only masks do.

// 1 where a value is not 0.
fn nonzero(value: u32) -> u32 {
    return min(value, 1u);
}

// All ones where a bit is 1.
fn ones(bit: u32) -> u32 {
    return 0u - bit;
}

// `yes` where a bit is 1, else `no`.
fn chosen(bit: u32, yes: u32, no: u32) -> u32 {
    return no ^ ((no ^ yes) & ones(bit));
}

// value >> amount, amount below 32; the lowest bit is 1 where it or any bit shifted out was, so that what is rounded later is rounded
// right.
fn shifted_sticky(value: u32, amount: u32) -> u32 {
    var shifted = value;
    for (var step = 16u; step > 0u; step >>= 1u) {
        let out = nonzero(shifted & ((1u << step) - 1u));
        shifted = chosen(nonzero(amount & step), (shifted >> step) | out, shifted);
    }
    return shifted;
}

// value >> bits rounded to nearest, ties to even (IEEE 754 section 4.3.1). `bits` is public.
fn rounded(value: u32, bits: u32) -> u32 {
    let kept = value >> bits;
    let cut = value & ((1u << bits) - 1u);
    return kept + ((cut + (1u << (bits - 1u)) - 1u + (kept & 1u)) >> bits);
}
