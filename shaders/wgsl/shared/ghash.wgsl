// Products in GHASH's field (SP 800-38D section 6.3), without a branch or an address that depends on a factor.

// A product by the books' shift and add, on big-endian words: bit 31 of x is the coefficient of x^0.
fn multiply(x: vec4<u32>, y: vec4<u32>) -> vec4<u32> {
    var z = vec4<u32>(0u);
    var v = y;
    var rest = x;
    for (var i = 0u; i < 128u; i++) {
        z ^= v & vec4<u32>(0u - (rest.x >> 31u));
        rest = (rest << vec4<u32>(1u)) | vec4<u32>(rest.yzw >> vec3<u32>(31u), 0u);
        v = times_x(v);
    }
    return z;
}

fn times_x(v: vec4<u32>) -> vec4<u32> {
    let carried = vec4<u32>((0u - (v.w & 1u)) & 0xe1000000u, v.xyz << vec3<u32>(31u));
    return (v >> vec4<u32>(1u)) ^ carried;
}
