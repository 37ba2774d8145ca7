// AES-256 key expansion (FIPS 197 section 5.2), H and what GHASH needs of its powers. One block of threads.

const u32 EXPAND_THREADS = 64;

// FIPS 197 algorithm 2 for Nk = 8; a word's first byte is its least significant.
DEVICE void expand_words(const u32 *key, u32 *words) {
    for (u32 i = 0; i < 8; i++) {
        words[i] = key[i];
    }
    u32 constant = 1;
    ROLLED
    for (u32 i = 8; i < 60; i++) {
        u32 word = words[i - 1];
        if (i % 4 == 0) {
            word = i % 8 == 0 ? (word >> 8) | (word << 24) : word;
            word = word_of_planes(sub_bytes(planes_of_word(word)), 0) ^ 0x63636363u;
        }
        if (i % 8 == 0) {
            word ^= constant;
            constant <<= 1;
        }
        words[i] = words[i - 8] ^ word;
    }
}

// Karatsuba's sums of the four words of H^32, the highest powers of x first, in the order of ghash.h.
DEVICE u32 summed(Block power, u32 which) {
    const u32 a = power.w[3], b = power.w[2], c = power.w[1], d = power.w[0];
    switch (which) {
    case 0: return a;
    case 1: return b;
    case 2: return c;
    case 3: return d;
    case 4: return a ^ b;
    case 5: return c ^ d;
    case 6: return a ^ c;
    case 7: return b ^ d;
    default: return a ^ b ^ c ^ d;
    }
}

KERNEL(expand_key, EXPAND_THREADS)(Params p, const u32 *key, Block *context) {
    SHARED u32 words[60];
    SHARED Block planes[30];
    SHARED Block powers[32];
    EACH_THREAD(thread, EXPAND_THREADS) {
        if (thread == 0) {
            expand_words(key, words);
        }
    }
    SYNC();
    EACH_THREAD(thread, EXPAND_THREADS) {
        for (u32 round = thread; round <= 14; round += EXPAND_THREADS) {
            const Block bytes = {{words[4 * round], words[4 * round + 1], words[4 * round + 2], words[4 * round + 3]}};
            const Byte both = planes_of_two(bytes, bytes);
            UNROLL
            for (u32 i = 0; i < 8; i++) {
                const u32 plane = both.p[i] ^ (round > 0 ? not_of(i) : 0);
                planes[2 * round + i / 4].w[i % 4] = plane;
                context[ROUND_PLANES + 2 * round + i / 4].w[i % 4] = plane;
            }
        }
        for (u32 byte = thread; byte < 240; byte += EXPAND_THREADS) {
            const Byte masks = same(words[byte / 4] >> (8 * (byte % 4)));
            UNROLL
            for (u32 i = 0; i < 8; i++) {
                context[ROUND_MASKS + 2 * byte + i / 4].w[i % 4] = masks.p[i] ^ (byte >= 16 ? not_of(i) : 0);
            }
        }
    }
    SYNC();
    EACH_THREAD(thread, EXPAND_THREADS) {
        if (thread == 0) {
            const Block h = block_of_planes(encrypt_planes(planes, {{0, 0, 0, 0, 0, 0, 0, 0}}), 0);
            powers[0] = swap_block(h);
            context[H] = h;
            context[STAMP] = {{p.stamp[0], p.stamp[1], p.stamp[2], p.stamp[3]}};
        }
    }
    // H^1 to H^k give H^(k+1) to H^(2k).
    for (u32 known = 1; known < 32; known *= 2) {
        SYNC();
        EACH_THREAD(thread, EXPAND_THREADS) {
            if (thread < known) {
                powers[known + thread] = multiply(powers[known - 1], powers[thread]);
            }
        }
    }
    SYNC();
    EACH_THREAD(thread, EXPAND_THREADS) {
        if (thread < 32) {
            context[POWERS + thread] = powers[thread];
        }
        if (thread < 9) {
            const u32 word = summed(powers[31], thread);
            context[PARTS + thread] = {{word & 0x11111111u, word & 0x22222222u, word & 0x44444444u, word & 0x88888888u}};
        }
    }
    // Shared memory is whoever's comes next.
    SYNC();
    EACH_THREAD(thread, EXPAND_THREADS) {
        for (u32 i = thread; i < 60; i += EXPAND_THREADS) {
            words[i] = 0;
        }
        for (u32 i = thread; i < 32; i += EXPAND_THREADS) {
            powers[i] = {{0, 0, 0, 0}};
            planes[i < 30 ? i : 29] = {{0, 0, 0, 0}};
        }
    }
}
