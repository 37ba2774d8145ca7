// Blocks of 32 elements with a scale each, Q8_0 and Q4_0 of GGML, to binary32. One invocation makes one element.

struct Params {
    blocks: u32,
    // Which is also the format's number.
    block_bytes: u32,
}

const Q8_0 = 34u;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<u32>;
@group(0) @binding(2) var<storage, read_write> output: array<u32>;

@compute @workgroup_size(64)
fn dequantize_blocks(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let word = word_of(group, groups, local);
    let block = word / 32u;
    let element = word % 32u;
    if (block >= params.blocks) {
        return;
    }
    let start = block * params.block_bytes;
    var q: i32;
    if (params.block_bytes == Q8_0) {
        q = bitcast<i32>(byte_at(start + 2u + element) << 24u) >> 24u;
    } else {
        q = i32((byte_at(start + 2u + element % 16u) >> (element / 16u * 4u)) & 15u) - 8;
    }
    let d = byte_at(start) | (byte_at(start + 1u) << 8u);
    output[word] = scaled(q, binary32_of_f16(d));
}

fn byte_at(at: u32) -> u32 {
    return (input[at / 4u] >> (at % 4u * 8u)) & 0xffu;
}
