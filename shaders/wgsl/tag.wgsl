// Adds the tags to chunks that seal.wgsl encrypted, from ciphertext that only it writes.

@group(0) @binding(1) var<uniform> context: array<vec4<u32>, CONTEXT_BLOCKS>;
@group(0) @binding(2) var<storage, read> aad: array<vec4<u32>>;
@group(0) @binding(3) var<storage, read_write> body: array<vec4<u32>>;

@compute @workgroup_size(256)
fn tag(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let first = first_chunk_of(group, groups);
    hash_chunks(first, local);
    if (local < GROUP_CHUNKS / 2u && usable()) {
        let tags = chunk_tags(first, local);
        store_tag(first + 2u * local, tags.first);
        store_tag(first + 2u * local + 1u, tags.second);
    }
}

fn store_tag(chunk: u32, tag: vec4<u32>) {
    if (chunk >= params.chunks) {
        return;
    }
    let length = chunk_length(chunk);
    let block = chunk * chunk_stride() + length / 16u;
    let offset = length % 16u;
    if (offset == 0u) {
        body[block] = tag;
    } else {
        let split = shifted_up(tag, offset);
        body[block] |= split.low;
        body[block + 1u] = split.high;
    }
}
