// The parameters of a launch: `Params` in src/kernel/mod.rs, word for word.

struct Params {
    nonce0: u32,
    nonce1: u32,
    nonce2: u32,
    first_chunk: u32,
    chunks: u32,
    chunk_bytes: u32,
    last_bytes: u32,
    aad_bytes: u32,
    verdict: u32,
    expected: u32,
    token: u32,
    stamp0: u32,
    stamp1: u32,
    stamp2: u32,
    stamp3: u32,
    reserved: u32,
}

@group(0) @binding(0) var<uniform> params: Params;

// Plaintext bytes of a bound chunk.
fn chunk_length(chunk: u32) -> u32 {
    return select(params.chunk_bytes, params.last_bytes, chunk + 1u == params.chunks);
}

// Blocks of a full chunk and its tag: where one chunk ends the next one starts. chunk_bytes is a multiple of 16.
fn chunk_stride() -> u32 {
    return params.chunk_bytes / 16u + 1u;
}

// The nonce's words of a bound chunk, as bytes in memory order: its number in the body, big-endian, is XORed into
// the last word.
fn chunk_nonce(chunk: u32) -> vec3<u32> {
    return vec3<u32>(params.nonce0, params.nonce1, params.nonce2 ^ swap_bytes(params.first_chunk + chunk));
}

fn swap_bytes(x: u32) -> u32 {
    return (x << 24u) | ((x << 8u) & 0x00ff0000u) | ((x >> 8u) & 0x0000ff00u) | (x >> 24u);
}

fn swap_block(x: vec4<u32>) -> vec4<u32> {
    return vec4<u32>(swap_bytes(x.x), swap_bytes(x.y), swap_bytes(x.z), swap_bytes(x.w));
}

// A block's first bytes, the rest zero.
fn first_bytes(block: vec4<u32>, bytes: u32) -> vec4<u32> {
    return block & byte_mask(bytes);
}

// Ones over a block's first bytes: word w has `bytes - 4 w` of them, at least 0 and at most 4.
fn byte_mask(bytes: u32) -> vec4<u32> {
    let kept = min(vec4<u32>(max(bytes, 4u) - 4u, max(bytes, 8u) - 8u, max(bytes, 12u) - 12u, bytes).wxyz, vec4<u32>(4u));
    return select((vec4<u32>(1u) << (kept * 8u)) - 1u, vec4<u32>(0xffffffffu), kept == vec4<u32>(4u));
}
