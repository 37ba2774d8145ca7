// The keystream over bound chunks: 32 invocations a chunk, each with 32 blocks, two chunks a workgroup. Neighbours work on
// neighbouring blocks, so that what they read and write lies together.
//
// Whoever uses it says what becomes of a block of keystream:
//
//     fn crypt_block(chunk: u32, block: u32, keystream: vec4<u32>)

const LANES = 32u;
const GROUP_CHUNKS = 2u;

// The number of an invocation's chunk; beyond 65535 workgroups they are laid out in two dimensions.
fn chunk_of(group: vec3<u32>, groups: vec3<u32>, local: u32) -> u32 {
    return (group.y * groups.x + group.x) * GROUP_CHUNKS + local / LANES;
}

fn crypt_chunk(chunk: u32, lane: u32) {
    let nonce = chunk_nonce(chunk);
    let blocks = chunk_length(chunk) / 16u + u32(chunk_length(chunk) % 16u != 0u);
    for (var first = lane; first < blocks; first += LANES * 32u) {
        // Counter 1 masks the tag; the data starts at 2.
        let s = keystream(nonce, first + 2u);
        let x = transposed(s.b0, s.b1, s.b2, s.b3);
        let y = transposed(s.b4, s.b5, s.b6, s.b7);
        let z = transposed(s.b8, s.b9, s.b10, s.b11);
        let w = transposed(s.b12, s.b13, s.b14, s.b15);
        crypt_four(chunk, first, blocks, x.w0, y.w0, z.w0, w.w0);
        crypt_four(chunk, first + 4u * LANES, blocks, x.w1, y.w1, z.w1, w.w1);
        crypt_four(chunk, first + 8u * LANES, blocks, x.w2, y.w2, z.w2, w.w2);
        crypt_four(chunk, first + 12u * LANES, blocks, x.w3, y.w3, z.w3, w.w3);
        crypt_four(chunk, first + 16u * LANES, blocks, x.w4, y.w4, z.w4, w.w4);
        crypt_four(chunk, first + 20u * LANES, blocks, x.w5, y.w5, z.w5, w.w5);
        crypt_four(chunk, first + 24u * LANES, blocks, x.w6, y.w6, z.w6, w.w6);
        crypt_four(chunk, first + 28u * LANES, blocks, x.w7, y.w7, z.w7, w.w7);
    }
}

fn crypt_four(
    chunk: u32, first: u32, blocks: u32, x: vec4<u32>, y: vec4<u32>, z: vec4<u32>, w: vec4<u32>,
) {
    crypt_within(chunk, first, blocks, vec4<u32>(x.x, y.x, z.x, w.x));
    crypt_within(chunk, first + LANES, blocks, vec4<u32>(x.y, y.y, z.y, w.y));
    crypt_within(chunk, first + 2u * LANES, blocks, vec4<u32>(x.z, y.z, z.z, w.z));
    crypt_within(chunk, first + 3u * LANES, blocks, vec4<u32>(x.w, y.w, z.w, w.w));
}

fn crypt_within(chunk: u32, block: u32, blocks: u32, keystream: vec4<u32>) {
    if (block < blocks) {
        crypt_block(chunk, block, keystream);
    }
}
