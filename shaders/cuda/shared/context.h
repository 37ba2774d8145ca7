// A key context, in blocks of 16 bytes, as shaders/wgsl/shared/context.wgsl lays it out but for what only WGSL's forms need.

// the stamp that says the context is the one meant and not an erased one;
const u32 STAMP = 0;
// H, the hash subkey, as the bytes that AES gives;
const u32 H = 1;
// round keys as planes, two blocks a round, for aes_planes.h;
const u32 ROUND_PLANES = 2;
// round keys as masks, 32 blocks a round, for aes_bitslice.h;
const u32 ROUND_MASKS = 32;
// H^1 to H^32, words big-endian;
const u32 POWERS = 512;
// Karatsuba's nine sums of words of H^32, each in four parts of every fourth bit, for ghash.h.
const u32 PARTS = 544;

const u32 CONTEXT_BLOCKS = 560;

// Whether a context is the one meant, and no erased one, whose key would be zeros and known to all.
DEVICE bool usable(const Params &p, const Block *context) {
    u32 differs = 0, stamped = 0, h = 0;
    UNROLL
    for (u32 i = 0; i < 4; i++) {
        differs |= context[STAMP].w[i] ^ p.stamp[i];
        stamped |= p.stamp[i];
        h |= context[H].w[i];
    }
    return differs == 0 && stamped != 0 && declassify(h != 0) == 1;
}
