// Products in GHASH's field (SP 800-38D section 6.3), without a branch or an address that depends on a factor.

// A product by the books' shift and add, on big-endian words: the top bit of the first is the coefficient of x^0.
DEVICE Block multiply(Block x, Block y) {
    Block z = {{0, 0, 0, 0}};
    ROLLED
    for (u32 i = 0; i < 128; i++) {
        const u32 mask = 0u - (x.w[0] >> 31);
        const u32 over = 0xe1000000u & (0u - (y.w[3] & 1));
        UNROLL
        for (u32 k = 0; k < 4; k++) {
            z.w[k] ^= y.w[k] & mask;
        }
        x = {{(x.w[0] << 1) | (x.w[1] >> 31), (x.w[1] << 1) | (x.w[2] >> 31), (x.w[2] << 1) | (x.w[3] >> 31), x.w[3] << 1}};
        y = {{(y.w[0] >> 1) ^ over, (y.w[1] >> 1) | (y.w[0] << 31), (y.w[2] >> 1) | (y.w[1] << 31), (y.w[3] >> 1) | (y.w[2] << 31)}};
    }
    return z;
}

// The product of a word with one of H^32's, by integer products with holes: words that keep every fourth bit, so that no sum of eight
// carries into the next bit that counts (T. Pornin, BearSSL, "ghash_ctmul").
DEVICE u64 product(u32 a, Block b) {
    const u32 x0 = a & 0x11111111u, x1 = a & 0x22222222u, x2 = a & 0x44444444u, x3 = a & 0x88888888u;
    // Eight ones at most in a column of each, so two may be XORed but four must not be added.
    const u64 z0 = ((u64)x0 * b.w[0]) ^ ((u64)x1 * b.w[3]) ^ ((u64)x2 * b.w[2]) ^ ((u64)x3 * b.w[1]);
    const u64 z1 = ((u64)x0 * b.w[1]) ^ ((u64)x1 * b.w[0]) ^ ((u64)x2 * b.w[3]) ^ ((u64)x3 * b.w[2]);
    const u64 z2 = ((u64)x0 * b.w[2]) ^ ((u64)x1 * b.w[1]) ^ ((u64)x2 * b.w[0]) ^ ((u64)x3 * b.w[3]);
    const u64 z3 = ((u64)x0 * b.w[3]) ^ ((u64)x1 * b.w[2]) ^ ((u64)x2 * b.w[1]) ^ ((u64)x3 * b.w[0]);
    return (z0 & 0x1111111111111111ull) | (z1 & 0x2222222222222222ull) | (z2 & 0x4444444444444444ull) | (z3 & 0x8888888888888888ull);
}

// Three products of 64 bits, each 32 bits above the one before.
DEVICE Block joined(u64 low, u64 middle, u64 high) {
    return {{(u32)low, (u32)(low >> 32) ^ (u32)middle, (u32)(middle >> 32) ^ (u32)high, (u32)(high >> 32)}};
}

DEVICE u32 folded(u32 x) {
    return x ^ (x >> 1) ^ (x >> 2) ^ (x >> 7);
}

DEVICE u32 folded_up(u32 x) {
    return (x << 31) ^ (x << 30) ^ (x << 25);
}

// Times H^32, on blocks as they lie in memory; `parts` are a context's from PARTS on.
DEVICE Block times_h32(const Block *parts, Block x) {
    // a0 holds the highest powers of x.
    const u32 a0 = swap_bytes(x.w[3]), a1 = swap_bytes(x.w[2]), a2 = swap_bytes(x.w[1]), a3 = swap_bytes(x.w[0]);
    const u64 c0 = product(a0, parts[0]), c1 = product(a1, parts[1]), c2 = product(a2, parts[2]), c3 = product(a3, parts[3]);
    const Block low = joined(c0, product(a0 ^ a1, parts[4]) ^ c0 ^ c1, c1);
    const Block top = joined(c2, product(a2 ^ a3, parts[5]) ^ c2 ^ c3, c3);
    const u64 c6 = product(a0 ^ a2, parts[6]), c7 = product(a1 ^ a3, parts[7]);
    const Block middle = joined(c6, product(a0 ^ a1 ^ a2 ^ a3, parts[8]) ^ c6 ^ c7, c7) ^ low ^ top;
    const u32 z[8] = {low.w[0], low.w[1], low.w[2] ^ middle.w[0], low.w[3] ^ middle.w[1],
                      top.w[0] ^ middle.w[2], top.w[1] ^ middle.w[3], top.w[2], top.w[3]};
    // The product of reflected words is one bit short of the reflected product (SP 800-38D numbers bits from the other end).
    u32 l[8];
    UNROLL
    for (u32 i = 0; i < 8; i++) {
        l[i] = (z[i] << 1) | (i > 0 ? z[i - 1] >> 31 : 0);
    }
    const u32 last = l[3] ^ folded_up(l[0]);
    const u32 t0 = l[4] ^ folded(l[0]) ^ folded_up(l[1]), t1 = l[5] ^ folded(l[1]) ^ folded_up(l[2]);
    const u32 t2 = l[6] ^ folded(l[2]) ^ folded_up(last), t3 = l[7] ^ folded(last);
    return {{swap_bytes(t3), swap_bytes(t2), swap_bytes(t1), swap_bytes(t0)}};
}
