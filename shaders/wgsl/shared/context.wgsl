// A key context, in blocks of 16 bytes:

// the stamp that says the context is the one meant and not an erased one;
const STAMP = 0u;
// H, the hash subkey, as the bytes that AES gives;
const H = 1u;
// round keys as planes, two blocks a round, for aes_planes.wgsl;
const ROUND_PLANES = 2u;
// round keys as masks, 32 blocks a round: all ones or all zeros for each bit of each byte, for aes_bitslice.wgsl;
const ROUND_MASKS = 32u;
// H^32 times x^k for each of the 128 bits k of a block as it lies in memory, for ghash_bits.wgsl;
const PRODUCTS = 512u;
// H^1 to H^32, words big-endian;
const POWERS = 640u;
// Karatsuba's nine sums of words of H^32, each as it is and reversed, each in four parts of every fourth bit, for ghash_products.wgsl.
const PARTS = 672u;

const CONTEXT_BLOCKS = 690u;
