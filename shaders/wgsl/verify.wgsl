// Checks the tags of bound chunks against all their 128 bits and counts those that hold.

@group(0) @binding(1) var<uniform> context: array<vec4<u32>, CONTEXT_BLOCKS>;
@group(0) @binding(2) var<storage, read> aad: array<vec4<u32>>;
@group(0) @binding(3) var<storage, read> body: array<vec4<u32>>;
@group(0) @binding(4) var<storage, read_write> verdicts: array<atomic<u32>>;

@compute @workgroup_size(256)
fn verify(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let first = first_chunk_of(group, groups);
    hash_chunks(first, local);
    if (local < GROUP_CHUNKS / 2u) {
        let tags = chunk_tags(first, local);
        let chunk = first + 2u * local;
        atomicAdd(&verdicts[2u * params.verdict], holds(chunk, tags.first) + holds(chunk + 1u, tags.second));
    }
}

// 1 where the chunk's tag is this one. Chunks that are not bound do not count.
fn holds(chunk: u32, tag: vec4<u32>) -> u32 {
    if (chunk >= params.chunks) {
        return 0u;
    }
    let difference = tag ^ stored_tag(chunk);
    return declassify(u32((difference.x | difference.y | difference.z | difference.w) == 0u));
}

// The 16 bytes behind a chunk's ciphertext, which may end within a word.
fn stored_tag(chunk: u32) -> vec4<u32> {
    let length = chunk_length(chunk);
    let block = chunk * chunk_stride() + length / 16u;
    let offset = length % 16u;
    let start = body[block];
    if (offset == 0u) {
        return start;
    }
    return shifted_down(start, body[block + 1u], offset);
}
