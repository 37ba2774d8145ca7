// AES-256 on two blocks at once (FIPS 197): plane p holds bit p of byte i of the first block at bit i, of the second at bit 16 + i.
// For the few blocks that key expansion and tags need.

// The planes of 4 bytes, at bits 0 to 3.
DEVICE Byte planes_of_word(u32 x) {
    Byte out;
    UNROLL
    for (u32 i = 0; i < 8; i++) {
        const u32 y = (x >> i) & 0x01010101u;
        out.p[i] = (y | (y >> 7) | (y >> 14) | (y >> 21)) & 15;
    }
    return out;
}

// The other way.
DEVICE u32 word_of_planes(Byte x, u32 first) {
    u32 out = 0;
    UNROLL
    for (u32 i = 0; i < 8; i++) {
        const u32 y = (x.p[i] >> first) & 15;
        out |= ((y | (y << 7) | (y << 14) | (y << 21)) & 0x01010101u) << i;
    }
    return out;
}

DEVICE Byte planes_of_block(Block x) {
    Byte out = {{0, 0, 0, 0, 0, 0, 0, 0}};
    UNROLL
    for (u32 c = 0; c < 4; c++) {
        const Byte word = planes_of_word(x.w[c]);
        UNROLL
        for (u32 i = 0; i < 8; i++) {
            out.p[i] |= word.p[i] << (4 * c);
        }
    }
    return out;
}

// The block whose planes start at bit `first`, 0 or 16.
DEVICE Block block_of_planes(Byte x, u32 first) {
    return {{word_of_planes(x, first), word_of_planes(x, first + 4), word_of_planes(x, first + 8), word_of_planes(x, first + 12)}};
}

DEVICE Byte planes_of_two(Block a, Block b) {
    const Byte low = planes_of_block(a), high = planes_of_block(b);
    Byte out;
    UNROLL
    for (u32 i = 0; i < 8; i++) {
        out.p[i] = low.p[i] | (high.p[i] << 16);
    }
    return out;
}

// Bit 4 c + r is row r of column c; row r moves left by r columns.
DEVICE u32 shift_rows(u32 x) {
    const u32 by1 = ((x >> 4) & 0x0fff0fffu) | ((x << 12) & 0xf000f000u);
    const u32 by2 = ((x >> 8) & 0x00ff00ffu) | ((x << 8) & 0xff00ff00u);
    const u32 by3 = ((x >> 12) & 0x000f000fu) | ((x << 4) & 0xfff0fff0u);
    return (x & 0x11111111u) | (by1 & 0x22222222u) | (by2 & 0x44444444u) | (by3 & 0x88888888u);
}

// 2 a[r] ^ 3 a[r+1] ^ a[r+2] ^ a[r+3] = xtimes(a[r] ^ a[r+1]) ^ a[r+1] ^ (a[r+2] ^ a[r+3]).
DEVICE Byte mix_columns(Byte a) {
    Byte below, pair;
    UNROLL
    for (u32 i = 0; i < 8; i++) {
        below.p[i] = ((a.p[i] >> 1) & 0x77777777u) | ((a.p[i] << 3) & 0x88888888u);
        pair.p[i] = a.p[i] ^ below.p[i];
    }
    Byte out = xtimes(pair) ^ below;
    UNROLL
    for (u32 i = 0; i < 8; i++) {
        out.p[i] ^= ((pair.p[i] >> 2) & 0x33333333u) | ((pair.p[i] << 2) & 0xccccccccu);
    }
    return out;
}

DEVICE Byte round_planes(const Block *keys, u32 round) {
    const Block lo = keys[2 * round], hi = keys[2 * round + 1];
    return {{lo.w[0], lo.w[1], lo.w[2], lo.w[3], hi.w[0], hi.w[1], hi.w[2], hi.w[3]}};
}

// `keys` are a context's from ROUND_PLANES on.
DEVICE Byte encrypt_planes(const Block *keys, Byte state) {
    state = state ^ round_planes(keys, 0);
    ROLLED
    for (u32 round = 1; round <= 14; round++) {
        state = sub_bytes(state);
        UNROLL
        for (u32 i = 0; i < 8; i++) {
            state.p[i] = shift_rows(state.p[i]);
        }
        if (round != 14) {
            state = mix_columns(state);
        }
        state = state ^ round_planes(keys, round);
    }
    return state;
}
