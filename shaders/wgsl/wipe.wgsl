// Writes zeros over a part of a buffer whose ends need not be whole words: bytes params.first_chunk to params.chunks of it.

@group(0) @binding(1) var<storage, read_write> memory: array<u32>;

@compute @workgroup_size(64)
fn wipe(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let invocations = 64u * groups.x * groups.y;
    let end = params.chunks;
    for (var word = 64u * (group.y * groups.x + group.x) + local; 4u * word < end; word += invocations) {
        let before = below(params.first_chunk, 4u * word);
        let behind = ~below(end, 4u * word);
        memory[word] &= before | behind;
    }
}

// Ones over those bytes of the word at `at` that lie before `end`.
fn below(end: u32, at: u32) -> u32 {
    let bytes = min(max(end, at) - at, 4u);
    return select((1u << (8u * bytes)) - 1u, 0xffffffffu, bytes == 4u);
}
