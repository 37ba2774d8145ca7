// Keccak-f[1600] (FIPS 202, sections 3.2 and 3.3), which SHA3-256 is made of. A lane of 64 bits is its low word and its high word; lane
// (x, y) is a(x + 5 y). Digests here are of ciphertext: nothing is secret.

var<private> a0: vec2<u32>;
var<private> a1: vec2<u32>;
var<private> a2: vec2<u32>;
var<private> a3: vec2<u32>;
var<private> a4: vec2<u32>;
var<private> a5: vec2<u32>;
var<private> a6: vec2<u32>;
var<private> a7: vec2<u32>;
var<private> a8: vec2<u32>;
var<private> a9: vec2<u32>;
var<private> a10: vec2<u32>;
var<private> a11: vec2<u32>;
var<private> a12: vec2<u32>;
var<private> a13: vec2<u32>;
var<private> a14: vec2<u32>;
var<private> a15: vec2<u32>;
var<private> a16: vec2<u32>;
var<private> a17: vec2<u32>;
var<private> a18: vec2<u32>;
var<private> a19: vec2<u32>;
var<private> a20: vec2<u32>;
var<private> a21: vec2<u32>;
var<private> a22: vec2<u32>;
var<private> a23: vec2<u32>;
var<private> a24: vec2<u32>;

// The constants of iota.
const ROUNDS = array<vec2<u32>, 24>(
    vec2<u32>(0x00000001u, 0x00000000u), vec2<u32>(0x00008082u, 0x00000000u), vec2<u32>(0x0000808au, 0x80000000u), vec2<u32>(0x80008000u, 0x80000000u),
    vec2<u32>(0x0000808bu, 0x00000000u), vec2<u32>(0x80000001u, 0x00000000u), vec2<u32>(0x80008081u, 0x80000000u), vec2<u32>(0x00008009u, 0x80000000u),
    vec2<u32>(0x0000008au, 0x00000000u), vec2<u32>(0x00000088u, 0x00000000u), vec2<u32>(0x80008009u, 0x00000000u), vec2<u32>(0x8000000au, 0x00000000u),
    vec2<u32>(0x8000808bu, 0x00000000u), vec2<u32>(0x0000008bu, 0x80000000u), vec2<u32>(0x00008089u, 0x80000000u), vec2<u32>(0x00008003u, 0x80000000u),
    vec2<u32>(0x00008002u, 0x80000000u), vec2<u32>(0x00000080u, 0x80000000u), vec2<u32>(0x0000800au, 0x00000000u), vec2<u32>(0x8000000au, 0x80000000u),
    vec2<u32>(0x80008081u, 0x80000000u), vec2<u32>(0x00008080u, 0x80000000u), vec2<u32>(0x80000001u, 0x00000000u), vec2<u32>(0x80008008u, 0x80000000u),
);

// 64 bits rotated upward by 1 to 31.
fn rotated(lane: vec2<u32>, by: u32) -> vec2<u32> {
    return (lane << vec2<u32>(by)) | (lane.yx >> vec2<u32>(32u - by));
}

// A state whose first lane is eight bytes of text.
fn begin(text: vec2<u32>) {
    a0 = text;
    a1 = vec2<u32>(0u);
    a2 = vec2<u32>(0u);
    a3 = vec2<u32>(0u);
    a4 = vec2<u32>(0u);
    a5 = vec2<u32>(0u);
    a6 = vec2<u32>(0u);
    a7 = vec2<u32>(0u);
    a8 = vec2<u32>(0u);
    a9 = vec2<u32>(0u);
    a10 = vec2<u32>(0u);
    a11 = vec2<u32>(0u);
    a12 = vec2<u32>(0u);
    a13 = vec2<u32>(0u);
    a14 = vec2<u32>(0u);
    a15 = vec2<u32>(0u);
    a16 = vec2<u32>(0u);
    a17 = vec2<u32>(0u);
    a18 = vec2<u32>(0u);
    a19 = vec2<u32>(0u);
    a20 = vec2<u32>(0u);
    a21 = vec2<u32>(0u);
    a22 = vec2<u32>(0u);
    a23 = vec2<u32>(0u);
    a24 = vec2<u32>(0u);
}

// The end mark of a message (section 6.1 and pad10*1) on the last byte of a block of 136; the first goes behind the message.
const FIRST_MARK = 6u;

fn mark_last() {
    a16.y ^= 0x80000000u;
}

fn permute() {
    for (var i = 0u; i < 24u; i++) {
        keccak_round(ROUNDS[i]);
    }
}

fn keccak_round(constant: vec2<u32>) {
    let c0 = a0 ^ a5 ^ a10 ^ a15 ^ a20;
    let c1 = a1 ^ a6 ^ a11 ^ a16 ^ a21;
    let c2 = a2 ^ a7 ^ a12 ^ a17 ^ a22;
    let c3 = a3 ^ a8 ^ a13 ^ a18 ^ a23;
    let c4 = a4 ^ a9 ^ a14 ^ a19 ^ a24;
    let d0 = c4 ^ rotated(c1, 1u);
    let d1 = c0 ^ rotated(c2, 1u);
    let d2 = c1 ^ rotated(c3, 1u);
    let d3 = c2 ^ rotated(c4, 1u);
    let d4 = c3 ^ rotated(c0, 1u);
    let b0 = a0 ^ d0;
    let b1 = rotated((a6 ^ d1).yx, 12u);
    let b2 = rotated((a12 ^ d2).yx, 11u);
    let b3 = rotated(a18 ^ d3, 21u);
    let b4 = rotated(a24 ^ d4, 14u);
    let b5 = rotated(a3 ^ d3, 28u);
    let b6 = rotated(a9 ^ d4, 20u);
    let b7 = rotated(a10 ^ d0, 3u);
    let b8 = rotated((a16 ^ d1).yx, 13u);
    let b9 = rotated((a22 ^ d2).yx, 29u);
    let b10 = rotated(a1 ^ d1, 1u);
    let b11 = rotated(a7 ^ d2, 6u);
    let b12 = rotated(a13 ^ d3, 25u);
    let b13 = rotated(a19 ^ d4, 8u);
    let b14 = rotated(a20 ^ d0, 18u);
    let b15 = rotated(a4 ^ d4, 27u);
    let b16 = rotated((a5 ^ d0).yx, 4u);
    let b17 = rotated(a11 ^ d1, 10u);
    let b18 = rotated(a17 ^ d2, 15u);
    let b19 = rotated((a23 ^ d3).yx, 24u);
    let b20 = rotated((a2 ^ d2).yx, 30u);
    let b21 = rotated((a8 ^ d3).yx, 23u);
    let b22 = rotated((a14 ^ d4).yx, 7u);
    let b23 = rotated((a15 ^ d0).yx, 9u);
    let b24 = rotated(a21 ^ d1, 2u);
    a0 = b0 ^ b2 ^ (b1 & b2) ^ constant;
    a1 = b1 ^ b3 ^ (b2 & b3);
    a2 = b2 ^ b4 ^ (b3 & b4);
    a3 = b3 ^ b0 ^ (b4 & b0);
    a4 = b4 ^ b1 ^ (b0 & b1);
    a5 = b5 ^ b7 ^ (b6 & b7);
    a6 = b6 ^ b8 ^ (b7 & b8);
    a7 = b7 ^ b9 ^ (b8 & b9);
    a8 = b8 ^ b5 ^ (b9 & b5);
    a9 = b9 ^ b6 ^ (b5 & b6);
    a10 = b10 ^ b12 ^ (b11 & b12);
    a11 = b11 ^ b13 ^ (b12 & b13);
    a12 = b12 ^ b14 ^ (b13 & b14);
    a13 = b13 ^ b10 ^ (b14 & b10);
    a14 = b14 ^ b11 ^ (b10 & b11);
    a15 = b15 ^ b17 ^ (b16 & b17);
    a16 = b16 ^ b18 ^ (b17 & b18);
    a17 = b17 ^ b19 ^ (b18 & b19);
    a18 = b18 ^ b15 ^ (b19 & b15);
    a19 = b19 ^ b16 ^ (b15 & b16);
    a20 = b20 ^ b22 ^ (b21 & b22);
    a21 = b21 ^ b23 ^ (b22 & b23);
    a22 = b22 ^ b24 ^ (b23 & b24);
    a23 = b23 ^ b20 ^ (b24 & b20);
    a24 = b24 ^ b21 ^ (b20 & b21);
}
