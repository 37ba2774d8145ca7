// Encrypts the bound chunks into their places in a body; tag.wgsl then adds their tags. Writes zeros where the context is
// not usable. What lies behind the last byte is zero, for tag.wgsl to write to.

@group(0) @binding(1) var<uniform> context: array<vec4<u32>, CONTEXT_BLOCKS>;
@group(0) @binding(2) var<storage, read> plaintext: array<PLAINTEXT>;
@group(0) @binding(3) var<storage, read_write> body: array<vec4<u32>>;

@compute @workgroup_size(64)
fn seal(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let chunk = chunk_of(group, groups, local);
    let lane = local % LANES;
    if (chunk >= params.chunks) {
        return;
    }
    let length = chunk_length(chunk);
    let blocks = length / 16u + u32(length % 16u != 0u);
    // The tag ends in the block behind the ciphertext's last one, and starts there or in that one.
    if (lane == 0u) {
        body[chunk * chunk_stride() + blocks] = vec4<u32>(0u);
    }
    if (usable()) {
        crypt_chunk(chunk, lane);
        return;
    }
    for (var block = lane; block < blocks; block += LANES) {
        body[chunk * chunk_stride() + block] = vec4<u32>(0u);
    }
}

fn crypt_block(chunk: u32, block: u32, keystream: vec4<u32>) {
    body[chunk * chunk_stride() + block] = read_block(chunk, block) ^ keystream;
}

fn crypt_bytes(chunk: u32, block: u32, bytes: u32, keystream: vec4<u32>) {
    body[chunk * chunk_stride() + block] = first_bytes(read_bytes(chunk, block, bytes) ^ keystream, bytes);
}
