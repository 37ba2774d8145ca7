// The tags of bound chunks (SP 800-38D, algorithm 4, steps 4 to 6): 32 invocations a chunk, 8 chunks a workgroup.
//
// GHASH as a sum of powers: counted from the end, block q of AAD, ciphertext and lengths has the weight H^(q + 1).
// Invocation t takes the blocks q = t mod 32 by Horner's rule in H^32, whose products with single bits every
// invocation shares, and then times H^(t + 1). Nothing is serial but a thirty-second of a chunk.
//
// Whoever uses it binds `context`, `aad` and `body`, all arrays of blocks. One of forms/ says what `times_h32` is.

const LANES = 32u;
const GROUP_CHUNKS = 8u;

var<workgroup> sums: array<vec4<u32>, 256>;

fn round_key(round: u32) -> Byte {
    return Byte(context[ROUND_PLANES + 2u * round], context[ROUND_PLANES + 2u * round + 1u]);
}

// The number of the first chunk of a workgroup; beyond 65535 workgroups they are laid out in two dimensions.
fn first_chunk_of(group: vec3<u32>, groups: vec3<u32>) -> u32 {
    return (group.y * groups.x + group.x) * GROUP_CHUNKS;
}

// Leaves the GHASH of chunk c of the workgroup in sums[32 * c].
fn hash_chunks(first: u32, local: u32) {
    let chunk = first + local / LANES;
    let lane = local % LANES;
    var sum = vec4<u32>(0u);
    if (chunk < params.chunks) {
        let hash = hash_lane(chunk, lane);
        sum = swap_block(multiply(swap_block(hash), context[POWERS + lane]));
    }
    sums[local] = sum;
    workgroupBarrier();
    for (var stride = LANES / 2u; stride > 0u; stride /= 2u) {
        if (lane < stride) {
            sums[local] ^= sums[local + stride];
        }
        workgroupBarrier();
    }
}

fn hash_lane(chunk: u32, lane: u32) -> vec4<u32> {
    let length = chunk_length(chunk);
    let blocks = blocks_of(length) + blocks_of(params.aad_bytes) + 1u;
    var hash = vec4<u32>(0u);
    // At least the block of lengths; the first takes no product.
    for (var left = (blocks - 1u) / LANES;; left--) {
        hash ^= hashed_block(chunk, length, left * LANES + lane);
        if (left == 0u) {
            break;
        }
        hash = times_h32(hash);
    }
    return hash;
}

fn blocks_of(bytes: u32) -> u32 {
    return bytes / 16u + u32(bytes % 16u != 0u);
}

// Block q from the end of what a tag covers; zero before its start.
fn hashed_block(chunk: u32, length: u32, q: u32) -> vec4<u32> {
    let of_body = blocks_of(length);
    let of_aad = blocks_of(params.aad_bytes);
    if (q == 0u) {
        return bit_lengths(params.aad_bytes, length);
    }
    if (q <= of_body) {
        let block = of_body - q;
        return first_bytes(body[chunk * chunk_stride() + block], length - 16u * block);
    }
    if (q <= of_body + of_aad) {
        let block = of_body + of_aad - q;
        return first_bytes(aad[block], params.aad_bytes - 16u * block);
    }
    return vec4<u32>(0u);
}

// Two lengths in bits, 64 bits each, big-endian.
fn bit_lengths(aad_bytes: u32, body_bytes: u32) -> vec4<u32> {
    return swap_block(vec4<u32>(aad_bytes >> 29u, aad_bytes << 3u, body_bytes >> 29u, body_bytes << 3u));
}

// The tags of two chunks of the workgroup, after `hash_chunks`: their hashes under the encrypted first counter block.
struct Tags {
    first: vec4<u32>,
    second: vec4<u32>,
}

fn chunk_tags(first: u32, pair: u32) -> Tags {
    let chunk = first + 2u * pair;
    let counter = swap_bytes(1u);
    let a = planes_of_block(vec4<u32>(chunk_nonce(chunk), counter));
    let b = planes_of_block(vec4<u32>(chunk_nonce(chunk + 1u), counter));
    let masks = encrypt_planes(Byte(a.lo | (b.lo << vec4<u32>(16u)), a.hi | (b.hi << vec4<u32>(16u))));
    return Tags(
        block_of_planes(masks, 0u) ^ sums[2u * pair * LANES],
        block_of_planes(masks, 16u) ^ sums[(2u * pair + 1u) * LANES],
    );
}
