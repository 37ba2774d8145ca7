// Times H^32, bit by bit: H^32 times each power of x lies in the context, for the bits of a block as they lie in memory. All
// invocations read the same product at the same time.

fn times_h32(x: vec4<u32>) -> vec4<u32> {
    var product = vec4<u32>(0u);
    for (var bit = 0u; bit < 32u; bit++) {
        let mask = bitcast<vec4<u32>>(extractBits(bitcast<vec4<i32>>(x), bit, 1u));
        product ^= (context[PRODUCTS + bit] & mask.xxxx) ^ (context[PRODUCTS + 32u + bit] & mask.yyyy)
            ^ (context[PRODUCTS + 64u + bit] & mask.zzzz) ^ (context[PRODUCTS + 96u + bit] & mask.wwww);
    }
    return product;
}
