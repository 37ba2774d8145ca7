// AES-256 on two blocks at once (FIPS 197): plane p holds bit p of byte i of the first block at bit i, of the second at bit 16 + i.
// For the few blocks that key expansion and tags need. Whoever uses it says where its round keys lie:
//
//     fn round_key(round: u32) -> Byte

// The planes of 4 bytes, at bits 0 to 3.
fn planes_of_word(x: u32) -> Byte {
    return Byte(gather(vec4<u32>(x) >> vec4<u32>(0u, 1u, 2u, 3u)), gather(vec4<u32>(x) >> vec4<u32>(4u, 5u, 6u, 7u)));
}

fn gather(x: vec4<u32>) -> vec4<u32> {
    let y = x & vec4<u32>(0x01010101u);
    return (y | (y >> vec4<u32>(7u)) | (y >> vec4<u32>(14u)) | (y >> vec4<u32>(21u))) & vec4<u32>(15u);
}

// The other way.
fn word_of_planes(x: Byte) -> u32 {
    let lo = scatter(x.lo) << vec4<u32>(0u, 1u, 2u, 3u);
    let hi = scatter(x.hi) << vec4<u32>(4u, 5u, 6u, 7u);
    let both = lo | hi;
    return both.x | both.y | both.z | both.w;
}

fn scatter(x: vec4<u32>) -> vec4<u32> {
    let y = x & vec4<u32>(15u);
    return (y | (y << vec4<u32>(7u)) | (y << vec4<u32>(14u)) | (y << vec4<u32>(21u))) & vec4<u32>(0x01010101u);
}

fn planes_of_block(x: vec4<u32>) -> Byte {
    let a = planes_of_word(x.x);
    let b = planes_of_word(x.y);
    let c = planes_of_word(x.z);
    let d = planes_of_word(x.w);
    let at = vec4<u32>(4u);
    return Byte(
        a.lo | (b.lo << at) | (c.lo << (2u * at)) | (d.lo << (3u * at)),
        a.hi | (b.hi << at) | (c.hi << (2u * at)) | (d.hi << (3u * at)),
    );
}

// The block whose planes start at bit `first`, 0 or 16.
fn block_of_planes(x: Byte, first: u32) -> vec4<u32> {
    let at = vec4<u32>(first);
    return vec4<u32>(
        word_of_planes(Byte(x.lo >> at, x.hi >> at)),
        word_of_planes(Byte(x.lo >> (at + 4u), x.hi >> (at + 4u))),
        word_of_planes(Byte(x.lo >> (at + 8u), x.hi >> (at + 8u))),
        word_of_planes(Byte(x.lo >> (at + 12u), x.hi >> (at + 12u))),
    );
}

fn encrypt_planes(blocks: Byte) -> Byte {
    let first = round_key(0u);
    var state = Byte(blocks.lo ^ first.lo, blocks.hi ^ first.hi);
    for (var round = 1u; round <= 14u; round++) {
        let s = sub_bytes(state);
        var next = Byte(shift_rows(s.lo), shift_rows(s.hi));
        if (round != 14u) {
            next = mix_columns(next);
        }
        let key = round_key(round);
        state = Byte(next.lo ^ key.lo, next.hi ^ key.hi);
    }
    return state;
}

// Bit 4 c + r is row r of column c; row r moves left by r columns.
fn shift_rows(x: vec4<u32>) -> vec4<u32> {
    let by1 = ((x >> vec4<u32>(4u)) & vec4<u32>(0x0fff0fffu)) | ((x << vec4<u32>(12u)) & vec4<u32>(0xf000f000u));
    let by2 = ((x >> vec4<u32>(8u)) & vec4<u32>(0x00ff00ffu)) | ((x << vec4<u32>(8u)) & vec4<u32>(0xff00ff00u));
    let by3 = ((x >> vec4<u32>(12u)) & vec4<u32>(0x000f000fu)) | ((x << vec4<u32>(4u)) & vec4<u32>(0xfff0fff0u));
    return (x & vec4<u32>(0x11111111u)) | (by1 & vec4<u32>(0x22222222u))
        | (by2 & vec4<u32>(0x44444444u)) | (by3 & vec4<u32>(0x88888888u));
}

// 2 a[r] ^ 3 a[r+1] ^ a[r+2] ^ a[r+3] = xtimes(a[r] ^ a[r+1]) ^ a[r+1] ^ (a[r+2] ^ a[r+3]).
fn mix_columns(a: Byte) -> Byte {
    let below = Byte(row_below(a.lo), row_below(a.hi));
    let pair = Byte(a.lo ^ below.lo, a.hi ^ below.hi);
    let doubled = xtimes(pair);
    return Byte(doubled.lo ^ below.lo ^ two_rows_below(pair.lo), doubled.hi ^ below.hi ^ two_rows_below(pair.hi));
}

fn row_below(x: vec4<u32>) -> vec4<u32> {
    return ((x >> vec4<u32>(1u)) & vec4<u32>(0x77777777u)) | ((x << vec4<u32>(3u)) & vec4<u32>(0x88888888u));
}

fn two_rows_below(x: vec4<u32>) -> vec4<u32> {
    return ((x >> vec4<u32>(2u)) & vec4<u32>(0x33333333u)) | ((x << vec4<u32>(2u)) & vec4<u32>(0xccccccccu));
}
