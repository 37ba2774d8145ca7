// The tags of bound chunks (SP 800-38D, algorithm 4, steps 4 to 6): 32 threads a chunk, 8 chunks a block of threads.
//
// Counted from its end, block q of AAD, ciphertext and lengths has the weight H^(q + 1). Thread t takes the blocks
// q = t mod 32 by Horner's rule in H^32, and then times H^(t + 1).

const u32 LANES = 32;
const u32 GROUP_CHUNKS = 8;
const u32 TAG_THREADS = LANES * GROUP_CHUNKS;

DEVICE u32 blocks_of(u32 bytes) {
    return bytes / 16 + (bytes % 16 != 0);
}

// Block q from the end of what a tag covers; zero before its start.
DEVICE Block hashed_block(const Params &p, const Block *aad, const Block *sealed, u32 length, u32 q) {
    const u32 of_body = blocks_of(length), of_aad = blocks_of(p.aad_bytes);
    if (q == 0) {
        return swap_block({{p.aad_bytes >> 29, p.aad_bytes << 3, length >> 29, length << 3}});
    }
    if (q <= of_body) {
        const u32 block = of_body - q;
        return first_bytes(sealed[block], length - 16 * block);
    }
    if (q <= of_body + of_aad) {
        const u32 block = of_body + of_aad - q;
        return first_bytes(aad[block], p.aad_bytes - 16 * block);
    }
    return {{0, 0, 0, 0}};
}

DEVICE Block hash_lane(const Params &p, const Block *context, const Block *aad, const Block *body, u32 chunk, u32 lane) {
    const u32 length = chunk_length(p, chunk);
    const Block *sealed = body + sealed_at(p, chunk);
    Block parts[9];
    UNROLL
    for (u32 i = 0; i < 9; i++) {
        parts[i] = context[PARTS + i];
    }
    Block hash = {{0, 0, 0, 0}};
    // At least the block of lengths; the first takes no product.
    ROLLED
    for (u32 left = (blocks_of(length) + blocks_of(p.aad_bytes)) / LANES;; left--) {
        hash = hash ^ hashed_block(p, aad, sealed, length, left * LANES + lane);
        if (left == 0) {
            break;
        }
        hash = times_h32(parts, hash);
    }
    return swap_block(multiply(swap_block(hash), context[POWERS + lane]));
}

// Leaves the tag of chunk c of the group in sums[LANES * c].
DEVICE void chunk_tags(const Params &p, const Block *context, const Block *aad, const Block *body, Block *sums) {
    const u32 first = GROUP() * GROUP_CHUNKS;
    EACH_THREAD(thread, TAG_THREADS) {
        const u32 chunk = first + thread / LANES;
        sums[thread] = {{0, 0, 0, 0}};
        if (chunk < p.chunks) {
            sums[thread] = hash_lane(p, context, aad, body, chunk, thread % LANES);
        }
    }
    SYNC();
    for (u32 stride = LANES / 2; stride > 0; stride /= 2) {
        EACH_THREAD(thread, TAG_THREADS) {
            if (thread % LANES < stride) {
                sums[thread] = sums[thread] ^ sums[thread + stride];
            }
        }
        SYNC();
    }
    EACH_THREAD(thread, TAG_THREADS) {
        if (thread < GROUP_CHUNKS / 2) {
            const u32 chunk = first + 2 * thread;
            const Byte counters = planes_of_two(counter_block(p, chunk, 1), counter_block(p, chunk + 1, 1));
            const Byte masks = encrypt_planes(context + ROUND_PLANES, counters);
            sums[2 * thread * LANES] = sums[2 * thread * LANES] ^ block_of_planes(masks, 0);
            sums[(2 * thread + 1) * LANES] = sums[(2 * thread + 1) * LANES] ^ block_of_planes(masks, 16);
        }
    }
    SYNC();
}
