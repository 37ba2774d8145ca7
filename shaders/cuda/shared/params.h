// The parameters of a launch: `Params` in src/kernel/mod.rs, word for word.

struct Params {
    u32 nonce[3];
    u32 first_chunk;
    u32 chunks;
    u32 chunk_bytes;
    u32 last_bytes;
    u32 aad_bytes;
    u32 verdict;
    u32 expected;
    u32 token;
    u32 stamp[4];
    u32 reserved;
};

// Plaintext bytes of a bound chunk.
DEVICE u32 chunk_length(const Params &p, u32 chunk) {
    return chunk + 1 == p.chunks ? p.last_bytes : p.chunk_bytes;
}

// Where a bound chunk starts in a body, in blocks: chunk_bytes is a multiple of 16.
DEVICE u64 sealed_at(const Params &p, u32 chunk) {
    return (u64)chunk * (p.chunk_bytes / 16 + 1);
}

DEVICE u64 plain_at(const Params &p, u32 chunk) {
    return (u64)chunk * (p.chunk_bytes / 16);
}

// A counter block of a bound chunk: its nonce, with its number in the body XORed in, and the counter, both big-endian.
DEVICE Block counter_block(const Params &p, u32 chunk, u32 counter) {
    return {{p.nonce[0], p.nonce[1], p.nonce[2] ^ swap_bytes(p.first_chunk + chunk), swap_bytes(counter)}};
}

// A block's first bytes, the rest zero. What is read lies in whole blocks.
DEVICE Block first_bytes(Block x, u32 bytes) {
    UNROLL
    for (u32 i = 0; i < 4; i++) {
        u32 kept = bytes > 4 * i ? bytes - 4 * i : 0;
        x.w[i] &= kept >= 4 ? ~0u : (1u << (8 * kept)) - 1;
    }
    return x;
}

// Word by word: an index into a block would put it into memory.
DEVICE void store_bytes(u8 *to, Block x, u32 bytes) {
    UNROLL
    for (u32 i = 0; i < 4; i++) {
        u32 word = x.w[i];
        ROLLED
        for (u32 at = 4 * i; at < bytes && at < 4 * i + 4; at++) {
            to[at] = (u8)word;
            word >>= 8;
        }
    }
}

DEVICE Block load_bytes(const u8 *from, u32 bytes) {
    Block x = {{0, 0, 0, 0}};
    UNROLL
    for (u32 i = 0; i < 4; i++) {
        ROLLED
        for (u32 at = 4 * i; at < bytes && at < 4 * i + 4; at++) {
            x.w[i] |= (u32)from[at] << (8 * (at % 4));
        }
    }
    return x;
}
