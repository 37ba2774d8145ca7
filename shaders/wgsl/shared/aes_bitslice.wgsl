// AES-256 in counter mode on 32 blocks an invocation (FIPS 197; SP 800-38D section 6.5): one word for each of a block's
// 128 bits, whose bit j belongs to the j-th block. ShiftRows is a matter of names.
//
// Whoever uses it binds `context`.

// The bytes of 32 blocks.
struct Blocks {
    b0: Byte,
    b1: Byte,
    b2: Byte,
    b3: Byte,
    b4: Byte,
    b5: Byte,
    b6: Byte,
    b7: Byte,
    b8: Byte,
    b9: Byte,
    b10: Byte,
    b11: Byte,
    b12: Byte,
    b13: Byte,
    b14: Byte,
    b15: Byte,
}

struct Column {
    a: Byte,
    b: Byte,
    c: Byte,
    d: Byte,
}

// The keystream of the counters `counter` + 32 j, j = 0 to 31, under a nonce.
fn keystream(nonce: vec3<u32>, counter: u32) -> Blocks {
    var s = counter_blocks(nonce, counter);
    for (var round = 1u; round <= 14u; round++) {
        let at = ROUND_MASKS + 32u * round;
        var c0 = Column(sub_bytes(s.b0), sub_bytes(s.b5), sub_bytes(s.b10), sub_bytes(s.b15));
        var c1 = Column(sub_bytes(s.b4), sub_bytes(s.b9), sub_bytes(s.b14), sub_bytes(s.b3));
        var c2 = Column(sub_bytes(s.b8), sub_bytes(s.b13), sub_bytes(s.b2), sub_bytes(s.b7));
        var c3 = Column(sub_bytes(s.b12), sub_bytes(s.b1), sub_bytes(s.b6), sub_bytes(s.b11));
        if (round != 14u) {
            c0 = mix_column(c0);
            c1 = mix_column(c1);
            c2 = mix_column(c2);
            c3 = mix_column(c3);
        }
        s = Blocks(
            add_round_key(c0.a, at), add_round_key(c0.b, at + 2u), add_round_key(c0.c, at + 4u), add_round_key(c0.d, at + 6u),
            add_round_key(c1.a, at + 8u), add_round_key(c1.b, at + 10u), add_round_key(c1.c, at + 12u), add_round_key(c1.d, at + 14u),
            add_round_key(c2.a, at + 16u), add_round_key(c2.b, at + 18u), add_round_key(c2.c, at + 20u), add_round_key(c2.d, at + 22u),
            add_round_key(c3.a, at + 24u), add_round_key(c3.b, at + 26u), add_round_key(c3.c, at + 28u), add_round_key(c3.d, at + 30u),
        );
    }
    return s;
}

fn add_round_key(x: Byte, at: u32) -> Byte {
    return Byte(x.lo ^ context[at], x.hi ^ context[at + 1u]);
}

// 2 a[r] ^ 3 a[r+1] ^ a[r+2] ^ a[r+3] = xtimes(a[r] ^ a[r+1]) ^ a[r+1] ^ (a[r+2] ^ a[r+3]).
fn mix_column(x: Column) -> Column {
    let ab = added(x.a, x.b);
    let bc = added(x.b, x.c);
    let cd = added(x.c, x.d);
    let da = added(x.d, x.a);
    return Column(
        added(added(xtimes(ab), x.b), cd),
        added(added(xtimes(bc), x.c), da),
        added(added(xtimes(cd), x.d), ab),
        added(added(xtimes(da), x.a), bc),
    );
}

fn added(a: Byte, b: Byte) -> Byte {
    return Byte(a.lo ^ b.lo, a.hi ^ b.hi);
}

// 32 counter blocks under the first round key.
fn counter_blocks(nonce: vec3<u32>, counter: u32) -> Blocks {
    let at = ROUND_MASKS;
    let c = counter_bytes(counter);
    return Blocks(
        add_round_key(same(nonce.x), at), add_round_key(same(nonce.x >> 8u), at + 2u),
        add_round_key(same(nonce.x >> 16u), at + 4u), add_round_key(same(nonce.x >> 24u), at + 6u),
        add_round_key(same(nonce.y), at + 8u), add_round_key(same(nonce.y >> 8u), at + 10u),
        add_round_key(same(nonce.y >> 16u), at + 12u), add_round_key(same(nonce.y >> 24u), at + 14u),
        add_round_key(same(nonce.z), at + 16u), add_round_key(same(nonce.z >> 8u), at + 18u),
        add_round_key(same(nonce.z >> 16u), at + 20u), add_round_key(same(nonce.z >> 24u), at + 22u),
        add_round_key(c.a, at + 24u), add_round_key(c.b, at + 26u), add_round_key(c.c, at + 28u), add_round_key(c.d, at + 30u),
    );
}

// The planes of a byte that all blocks share.
fn same(byte: u32) -> Byte {
    return Byte(
        vec4<u32>(0u) - ((vec4<u32>(byte) >> vec4<u32>(0u, 1u, 2u, 3u)) & vec4<u32>(1u)),
        vec4<u32>(0u) - ((vec4<u32>(byte) >> vec4<u32>(4u, 5u, 6u, 7u)) & vec4<u32>(1u)),
    );
}

// counter + 32 j for j = 0 to 31, big-endian. The bits of j are the same five words for everyone; they are added to bits 5 to 9
// of the counter, and the carry ripples up.
fn counter_bytes(counter: u32) -> Column {
    var d = same(counter);
    var c = same(counter >> 8u);
    let bit5 = half_add(d.hi.y, 0xaaaaaaaau);
    let bit6 = full_add(d.hi.z, 0xccccccccu, bit5.y);
    let bit7 = full_add(d.hi.w, 0xf0f0f0f0u, bit6.y);
    let bit8 = full_add(c.lo.x, 0xff00ff00u, bit7.y);
    let bit9 = full_add(c.lo.y, 0xffff0000u, bit8.y);
    let bit10 = half_add(c.lo.z, bit9.y);
    let bit11 = half_add(c.lo.w, bit10.y);
    let high = carried(c.hi, bit11.y);
    d.hi = vec4<u32>(d.hi.x, bit5.x, bit6.x, bit7.x);
    c = Byte(vec4<u32>(bit8.x, bit9.x, bit10.x, bit11.x), high.sum);
    let b = same(counter >> 16u);
    let b_lo = carried(b.lo, high.carry);
    let b_hi = carried(b.hi, b_lo.carry);
    let a = same(counter >> 24u);
    let a_lo = carried(a.lo, b_hi.carry);
    let a_hi = carried(a.hi, a_lo.carry);
    return Column(Byte(a_lo.sum, a_hi.sum), Byte(b_lo.sum, b_hi.sum), c, d);
}

// Sum and carry, 32 at once.
fn half_add(a: u32, b: u32) -> vec2<u32> {
    return vec2<u32>(a ^ b, a & b);
}

fn full_add(a: u32, b: u32, carry: u32) -> vec2<u32> {
    return vec2<u32>(a ^ b ^ carry, (a & b) | (carry & (a ^ b)));
}

struct Carried {
    sum: vec4<u32>,
    carry: u32,
}

fn carried(x: vec4<u32>, carry: u32) -> Carried {
    let c1 = carry & x.x;
    let c2 = c1 & x.y;
    let c3 = c2 & x.z;
    return Carried(x ^ vec4<u32>(carry, c1, c2, c3), c3 & x.w);
}
