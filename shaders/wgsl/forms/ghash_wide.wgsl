// Times H^32, by integer products with holes as in ghash_products.wgsl, where the GPU multiplies 32 by 32 bits into 64: half as many
// products and no reversed words. Needs the feature SHADER_INT64.

fn times_h32(x: vec4<u32>) -> vec4<u32> {
    // a.x holds the highest powers of x.
    let a = swap_block(x).wzyx;
    let c0 = product(a.x, 0u);
    let c1 = product(a.y, 2u);
    let c2 = product(a.z, 4u);
    let c3 = product(a.w, 6u);
    // Karatsuba, twice: of two words, then of two pairs.
    let low = joined(c0, product(a.x ^ a.y, 8u) ^ c0 ^ c1, c1);
    let top = joined(c2, product(a.z ^ a.w, 10u) ^ c2 ^ c3, c3);
    let c6 = product(a.x ^ a.z, 12u);
    let c7 = product(a.y ^ a.w, 14u);
    let middle = joined(c6, product(a.x ^ a.y ^ a.z ^ a.w, 16u) ^ c6 ^ c7, c7) ^ low ^ top;
    return reduced(low ^ vec4<u32>(0u, 0u, middle.xy), top ^ vec4<u32>(middle.zw, 0u, 0u));
}

// Three products of 64 bits, each 32 bits above the one before.
fn joined(low: vec2<u32>, middle: vec2<u32>, high: vec2<u32>) -> vec4<u32> {
    return vec4<u32>(low.x, low.y ^ middle.x, high.x ^ middle.y, high.y);
}

// The product of a word with one of H^32's.
fn product(a: u32, at: u32) -> vec2<u32> {
    let b = context[PARTS + at];
    let x = vec4<u32>(a) & vec4<u32>(0x11111111u, 0x22222222u, 0x44444444u, 0x88888888u);
    // Four columns of at most eight ones each fit beside each other, and no two are added.
    let z0 = wide(x.x, b.x) ^ wide(x.y, b.w) ^ wide(x.z, b.z) ^ wide(x.w, b.y);
    let z1 = wide(x.x, b.y) ^ wide(x.y, b.x) ^ wide(x.z, b.w) ^ wide(x.w, b.z);
    let z2 = wide(x.x, b.z) ^ wide(x.y, b.y) ^ wide(x.z, b.x) ^ wide(x.w, b.w);
    let z3 = wide(x.x, b.w) ^ wide(x.y, b.z) ^ wide(x.z, b.y) ^ wide(x.w, b.x);
    return (z0 & vec2<u32>(0x11111111u)) | (z1 & vec2<u32>(0x22222222u))
        | (z2 & vec2<u32>(0x44444444u)) | (z3 & vec2<u32>(0x88888888u));
}

fn wide(a: u32, b: u32) -> vec2<u32> {
    let z = u64(a) * u64(b);
    return vec2<u32>(u32(z & 0xfffffffflu), u32(z >> 32u));
}
