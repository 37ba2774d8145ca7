// Times H^32, by integer products with holes: of words that keep every fourth bit, so that no sum of eight carries into the next
// bit that counts (T. Pornin, BearSSL, "ghash_ctmul32"). Karatsuba's nine products of words give the low halves; nine of
// reversed words the high ones. Each word of H^32 lies in the context in its four parts.

fn times_h32(x: vec4<u32>) -> vec4<u32> {
    // a0 holds the highest powers of x.
    let a = swap_block(x).wzyx;
    let c0 = halves(a.x, 0u);
    let c1 = halves(a.y, 2u);
    let c2 = halves(a.z, 4u);
    let c3 = halves(a.w, 6u);
    let c4 = halves(a.x ^ a.y, 8u) ^ c0 ^ c1;
    let c5 = halves(a.z ^ a.w, 10u) ^ c2 ^ c3;
    let c6 = halves(a.x ^ a.z, 12u);
    let c7 = halves(a.y ^ a.w, 14u);
    let c8 = halves(a.x ^ a.y ^ a.z ^ a.w, 16u) ^ c6 ^ c7;
    let low = vec4<u32>(
        c0.x,
        c4.x ^ high(c0.y),
        c1.x ^ c0.x ^ c2.x ^ c6.x ^ high(c4.y),
        c4.x ^ c5.x ^ c8.x ^ high(c1.y ^ c0.y ^ c2.y ^ c6.y),
    );
    let top = vec4<u32>(
        c2.x ^ c1.x ^ c3.x ^ c7.x ^ high(c4.y ^ c5.y ^ c8.y),
        c5.x ^ high(c2.y ^ c1.y ^ c3.y ^ c7.y),
        c3.x ^ high(c5.y),
        high(c3.y),
    );
    return reduced(low, top);
}

// The low half of the product of a word with one of H^32's, and the low half of that of the reversed words.
fn halves(a: u32, at: u32) -> vec2<u32> {
    return vec2<u32>(product(a, context[PARTS + at]), product(reverseBits(a), context[PARTS + at + 1u]));
}

fn high(reversed: u32) -> u32 {
    return reverseBits(reversed) >> 1u;
}

fn product(a: u32, b: vec4<u32>) -> u32 {
    let x = vec4<u32>(a) & vec4<u32>(0x11111111u, 0x22222222u, 0x44444444u, 0x88888888u);
    // Two products may be added: a column has at most eight ones in each where it matters, and the carry out of the last
    // columns leaves the word.
    let z0 = (x.x * b.x + x.y * b.w) ^ (x.z * b.z + x.w * b.y);
    let z1 = (x.x * b.y + x.y * b.x) ^ (x.z * b.w + x.w * b.z);
    let z2 = (x.x * b.z + x.y * b.y) ^ (x.z * b.x + x.w * b.w);
    let z3 = (x.x * b.w + x.y * b.z) ^ (x.z * b.y + x.w * b.x);
    return (z0 & 0x11111111u) | (z1 & 0x22222222u) | (z2 & 0x44444444u) | (z3 & 0x88888888u);
}
