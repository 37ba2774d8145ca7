// From bit planes to words.

// 32 words; word 4 k + c is component c of the k-th.
struct Words {
    w0: vec4<u32>,
    w1: vec4<u32>,
    w2: vec4<u32>,
    w3: vec4<u32>,
    w4: vec4<u32>,
    w5: vec4<u32>,
    w6: vec4<u32>,
    w7: vec4<u32>,
}

// Word j of the result holds the j-th block's bits of four bytes, little-endian: a 32 by 32 bit matrix transposed by
// exchanging ever smaller squares.
fn transposed(a: Byte, b: Byte, c: Byte, d: Byte) -> Words {
    let p0 = exchange(a.lo, c.lo, 16u, 0x0000ffffu);
    let p1 = exchange(a.hi, c.hi, 16u, 0x0000ffffu);
    let p2 = exchange(b.lo, d.lo, 16u, 0x0000ffffu);
    let p3 = exchange(b.hi, d.hi, 16u, 0x0000ffffu);
    let q0 = exchange(p0.low, p2.low, 8u, 0x00ff00ffu);
    let q1 = exchange(p1.low, p3.low, 8u, 0x00ff00ffu);
    let q2 = exchange(p0.high, p2.high, 8u, 0x00ff00ffu);
    let q3 = exchange(p1.high, p3.high, 8u, 0x00ff00ffu);
    let r0 = exchange(q0.low, q1.low, 4u, 0x0f0f0f0fu);
    let r1 = exchange(q0.high, q1.high, 4u, 0x0f0f0f0fu);
    let r2 = exchange(q2.low, q3.low, 4u, 0x0f0f0f0fu);
    let r3 = exchange(q2.high, q3.high, 4u, 0x0f0f0f0fu);
    return Words(
        within(r0.low), within(r0.high), within(r1.low), within(r1.high),
        within(r2.low), within(r2.high), within(r3.low), within(r3.high),
    );
}

struct Exchanged {
    low: vec4<u32>,
    high: vec4<u32>,
}

// The upper squares of `low` change places with the lower ones of `high`.
fn exchange(low: vec4<u32>, high: vec4<u32>, by: u32, mask: u32) -> Exchanged {
    let change = ((low >> vec4<u32>(by)) ^ high) & vec4<u32>(mask);
    return Exchanged(low ^ (change << vec4<u32>(by)), high ^ change);
}

// The last two steps, between neighbours.
fn within(x: vec4<u32>) -> vec4<u32> {
    let far = ((x.xy >> vec2<u32>(2u)) ^ x.zw) & vec2<u32>(0x33333333u);
    let y = x ^ vec4<u32>(far << vec2<u32>(2u), far);
    let near = ((y.xz >> vec2<u32>(1u)) ^ y.yw) & vec2<u32>(0x55555555u);
    let up = near << vec2<u32>(1u);
    return y ^ vec4<u32>(up.x, near.x, up.y, near.y);
}
