// From a product of 256 bits to one of the field, for the forms that multiply integers.

// The product of reflected words is one bit short of the reflected product (SP 800-38D numbers bits from the other end).
fn reduced(low: vec4<u32>, top: vec4<u32>) -> vec4<u32> {
    let l = (low << vec4<u32>(1u)) | vec4<u32>(0u, low.xyz >> vec3<u32>(31u));
    var t = (top << vec4<u32>(1u)) | vec4<u32>(low.w >> 31u, top.xyz >> vec3<u32>(31u));
    let last = l.w ^ folded_up(l.x);
    t ^= vec4<u32>(folded(l.x) ^ folded_up(l.y), folded(l.y) ^ folded_up(l.z), folded(l.z) ^ folded_up(last), folded(last));
    return swap_block(t.wzyx);
}

fn folded(x: u32) -> u32 {
    return x ^ (x >> 1u) ^ (x >> 2u) ^ (x >> 7u);
}

fn folded_up(x: u32) -> u32 {
    return (x << 31u) ^ (x << 30u) ^ (x << 25u);
}
