// Decrypts the bound chunks of a body whose verdict is this launch's token; else writes zeros.

@group(0) @binding(1) var<uniform> context: array<vec4<u32>, CONTEXT_BLOCKS>;
@group(0) @binding(2) var<storage, read> body: array<vec4<u32>>;
@group(0) @binding(3) var<storage, read> verdicts: array<u32>;
@group(0) @binding(4) var<storage, read_write> plaintext: array<PLAINTEXT>;

@compute @workgroup_size(64)
fn open(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let chunk = chunk_of(group, groups, local);
    let lane = local % LANES;
    if (chunk >= params.chunks) {
        return;
    }
    if (verdicts[2u * params.verdict + 1u] == params.token && params.token != 0u) {
        crypt_chunk(chunk, lane);
        return;
    }
    let length = chunk_length(chunk);
    for (var block = lane; 16u * block < length; block += LANES) {
        if (16u * block + 16u <= length) {
            write_block(chunk, block, vec4<u32>(0u));
        } else {
            write_bytes(chunk, block, length % 16u, vec4<u32>(0u));
        }
    }
}

fn crypt_block(chunk: u32, block: u32, keystream: vec4<u32>) {
    write_block(chunk, block, body[chunk * chunk_stride() + block] ^ keystream);
}

fn crypt_bytes(chunk: u32, block: u32, bytes: u32, keystream: vec4<u32>) {
    write_bytes(chunk, block, bytes, body[chunk * chunk_stride() + block] ^ keystream);
}
