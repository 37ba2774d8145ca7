// Keccak-f[1600] (FIPS 202, sections 3.2 and 3.3), which SHA3-256 is made of. Lane (x, y) is a[x + 5 y]; every index is known when this is
// compiled, so lanes are registers. Digests here are of ciphertext: nothing is secret.

struct State {
    u64 a[25];
};

// The domains of the tree's three kinds of nodes (docs/sealed-format.md, "Roots"): eight bytes of text.
const u64 LEAF = 0x6661656c74677170ull;
const u64 NODE = 0x65646f6e74677170ull;
const u64 ROOT = 0x746f6f7274677170ull;
// What ends a message (section 6.1 and pad10*1): the first mark goes behind it, the last on the last byte of a block of 136.
const u64 FIRST_MARK = 6;
const u64 LAST_MARK = 1ull << 63;

// The constants of iota.
#if defined(PQC_HOST)
static const u64 ROUNDS[24] = {
#else
static __constant__ u64 ROUNDS[24] = {
#endif
    0x0000000000000001, 0x0000000000008082, 0x800000000000808a, 0x8000000080008000,
    0x000000000000808b, 0x0000000080000001, 0x8000000080008081, 0x8000000000008009,
    0x000000000000008a, 0x0000000000000088, 0x0000000080008009, 0x000000008000000a,
    0x000000008000808b, 0x800000000000008b, 0x8000000000008089, 0x8000000000008003,
    0x8000000000008002, 0x8000000000000080, 0x000000000000800a, 0x800000008000000a,
    0x8000000080008081, 0x8000000000008080, 0x0000000080000001, 0x8000000080008008,
};

DEVICE u64 rotated(u64 lane, u32 by) {
    return (lane << by) | (lane >> (64 - by));
}

DEVICE State begin(u64 text) {
    State s = {{text}};
    return s;
}

DEVICE void permute(State &s) {
    u64 *a = s.a;
    ROLLED
    for (u32 i = 0; i < 24; i++) {
        const u64 c0 = a[0] ^ a[5] ^ a[10] ^ a[15] ^ a[20];
        const u64 c1 = a[1] ^ a[6] ^ a[11] ^ a[16] ^ a[21];
        const u64 c2 = a[2] ^ a[7] ^ a[12] ^ a[17] ^ a[22];
        const u64 c3 = a[3] ^ a[8] ^ a[13] ^ a[18] ^ a[23];
        const u64 c4 = a[4] ^ a[9] ^ a[14] ^ a[19] ^ a[24];
        const u64 d0 = c4 ^ rotated(c1, 1);
        const u64 d1 = c0 ^ rotated(c2, 1);
        const u64 d2 = c1 ^ rotated(c3, 1);
        const u64 d3 = c2 ^ rotated(c4, 1);
        const u64 d4 = c3 ^ rotated(c0, 1);
        const u64 b0 = a[0] ^ d0;
        const u64 b1 = rotated(a[6] ^ d1, 44);
        const u64 b2 = rotated(a[12] ^ d2, 43);
        const u64 b3 = rotated(a[18] ^ d3, 21);
        const u64 b4 = rotated(a[24] ^ d4, 14);
        const u64 b5 = rotated(a[3] ^ d3, 28);
        const u64 b6 = rotated(a[9] ^ d4, 20);
        const u64 b7 = rotated(a[10] ^ d0, 3);
        const u64 b8 = rotated(a[16] ^ d1, 45);
        const u64 b9 = rotated(a[22] ^ d2, 61);
        const u64 b10 = rotated(a[1] ^ d1, 1);
        const u64 b11 = rotated(a[7] ^ d2, 6);
        const u64 b12 = rotated(a[13] ^ d3, 25);
        const u64 b13 = rotated(a[19] ^ d4, 8);
        const u64 b14 = rotated(a[20] ^ d0, 18);
        const u64 b15 = rotated(a[4] ^ d4, 27);
        const u64 b16 = rotated(a[5] ^ d0, 36);
        const u64 b17 = rotated(a[11] ^ d1, 10);
        const u64 b18 = rotated(a[17] ^ d2, 15);
        const u64 b19 = rotated(a[23] ^ d3, 56);
        const u64 b20 = rotated(a[2] ^ d2, 62);
        const u64 b21 = rotated(a[8] ^ d3, 55);
        const u64 b22 = rotated(a[14] ^ d4, 39);
        const u64 b23 = rotated(a[15] ^ d0, 41);
        const u64 b24 = rotated(a[21] ^ d1, 2);
        a[0] = b0 ^ (~b1 & b2) ^ ROUNDS[i];
        a[1] = b1 ^ (~b2 & b3);
        a[2] = b2 ^ (~b3 & b4);
        a[3] = b3 ^ (~b4 & b0);
        a[4] = b4 ^ (~b0 & b1);
        a[5] = b5 ^ (~b6 & b7);
        a[6] = b6 ^ (~b7 & b8);
        a[7] = b7 ^ (~b8 & b9);
        a[8] = b8 ^ (~b9 & b5);
        a[9] = b9 ^ (~b5 & b6);
        a[10] = b10 ^ (~b11 & b12);
        a[11] = b11 ^ (~b12 & b13);
        a[12] = b12 ^ (~b13 & b14);
        a[13] = b13 ^ (~b14 & b10);
        a[14] = b14 ^ (~b10 & b11);
        a[15] = b15 ^ (~b16 & b17);
        a[16] = b16 ^ (~b17 & b18);
        a[17] = b17 ^ (~b18 & b19);
        a[18] = b18 ^ (~b19 & b15);
        a[19] = b19 ^ (~b15 & b16);
        a[20] = b20 ^ (~b21 & b22);
        a[21] = b21 ^ (~b22 & b23);
        a[22] = b22 ^ (~b23 & b24);
        a[23] = b23 ^ (~b24 & b20);
        a[24] = b24 ^ (~b20 & b21);
    }
}
