// AES-256 in counter mode on 32 blocks a thread (FIPS 197; SP 800-38D section 6.5): one word for each of a block's 128 bits,
// whose bit j belongs to the j-th block. ShiftRows is a matter of names.

struct Blocks {
    Byte b[16];
};

DEVICE Byte round_masks(const Block *masks, u32 byte) {
    const Block lo = masks[2 * byte], hi = masks[2 * byte + 1];
    return {{lo.w[0], lo.w[1], lo.w[2], lo.w[3], hi.w[0], hi.w[1], hi.w[2], hi.w[3]}};
}

// The counter blocks `first` + 32 j for j = 0 to 31. The bits of j are added to bits 5 to 9 of the counter, and the carry ripples up.
DEVICE Blocks counter_blocks(Block first) {
    Blocks s;
    UNROLL
    for (u32 i = 0; i < 16; i++) {
        s.b[i] = same(first.w[i / 4] >> (8 * (i % 4)));
    }
    const u32 lane[5] = {0xaaaaaaaau, 0xccccccccu, 0xf0f0f0f0u, 0xff00ff00u, 0xffff0000u};
    u32 carry = 0;
    UNROLL
    for (u32 bit = 5; bit < 32; bit++) {
        u32 &plane = s.b[15 - bit / 8].p[bit % 8];
        const u32 a = plane, b = bit < 10 ? lane[bit - 5] : 0;
        plane = a ^ b ^ carry;
        carry = (a & b) | (carry & (a ^ b));
    }
    return s;
}

// `masks` are a context's from ROUND_MASKS on.
DEVICE Blocks keystream(const Block *masks, Block first) {
    Blocks s = counter_blocks(first);
    UNROLL
    for (u32 i = 0; i < 16; i++) {
        s.b[i] = s.b[i] ^ round_masks(masks, i);
    }
    ROLLED
    for (u32 round = 1; round <= 14; round++) {
        Blocks t;
        UNROLL
        for (u32 i = 0; i < 16; i++) {
            t.b[i] = SUB_BYTES(s.b[(5 * i) % 16]);
        }
        UNROLL
        for (u32 c = 0; c < 16; c += 4) {
            const Byte a0 = t.b[c], a1 = t.b[c + 1], a2 = t.b[c + 2], a3 = t.b[c + 3];
            const u32 at = 16 * round + c;
            const Byte k0 = round_masks(masks, at), k1 = round_masks(masks, at + 1);
            const Byte k2 = round_masks(masks, at + 2), k3 = round_masks(masks, at + 3);
            if (round != 14) {
                const Byte p01 = a0 ^ a1, p12 = a1 ^ a2, p23 = a2 ^ a3, p30 = a3 ^ a0;
                s.b[c] = xtimes(p01) ^ (a1 ^ p23 ^ k0);
                s.b[c + 1] = xtimes(p12) ^ (a2 ^ p30 ^ k1);
                s.b[c + 2] = xtimes(p23) ^ (a3 ^ p01 ^ k2);
                s.b[c + 3] = xtimes(p30) ^ (a0 ^ p12 ^ k3);
            } else {
                s.b[c] = a0 ^ k0;
                s.b[c + 1] = a1 ^ k1;
                s.b[c + 2] = a2 ^ k2;
                s.b[c + 3] = a3 ^ k3;
            }
        }
    }
    return s;
}

// Word j of the result holds the j-th block's bits of four bytes: a 32 by 32 bit matrix transposed by exchanging ever
// smaller squares.
DEVICE void transpose(const Byte *bytes, u32 *out) {
    UNROLL
    for (u32 i = 0; i < 32; i++) {
        out[i] = bytes[i / 8].p[i % 8];
    }
    const u32 masks[3] = {0x55555555u, 0x33333333u, 0x0f0f0f0fu};
    UNROLL
    for (u32 step = 5; step-- > 0;) {
        const u32 by = 1u << step;
        UNROLL
        for (u32 i = 0; i < 32; i++) {
            if ((i & by) == 0) {
                const u32 a = out[i], b = out[i + by];
                // Squares of whole bytes are exchanged by choosing bytes.
                if (step == 4) {
                    out[i] = chosen_bytes(a, b, 0x5410), out[i + by] = chosen_bytes(a, b, 0x7632);
                } else if (step == 3) {
                    out[i] = chosen_bytes(a, b, 0x6240), out[i + by] = chosen_bytes(a, b, 0x7351);
                } else {
                    out[i] = LUT((x & z) | (y & ~z), a, b << by, masks[step]);
                    out[i + by] = LUT((x & z) | (y & ~z), a >> by, b, masks[step]);
                }
            }
        }
    }
}
