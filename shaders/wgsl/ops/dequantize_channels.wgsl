// Bytes to binary32: (byte - zero point) × scale, both of the byte's channel. One invocation makes one element.

struct Params {
    count: u32,
    inner: u32,
    channels: u32,
    first_inner: u32,
    first_channel: u32,
    is_signed: u32,
    zero_points: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<u32>;
@group(0) @binding(2) var<storage, read> scales: array<u32>;
@group(0) @binding(3) var<storage, read> zero_points: array<u32>;
@group(0) @binding(4) var<storage, read_write> output: array<u32>;

@compute @workgroup_size(64)
fn dequantize_channels(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let word = word_of(group, groups, local);
    if (word >= params.count) {
        return;
    }
    let channel = ((params.first_inner + word) / params.inner + params.first_channel) % params.channels;
    var n = number(input[word / 4u], word);
    if (params.zero_points == 1u) {
        n -= number(zero_points[channel / 4u], channel);
    }
    output[word] = scaled(n, scales[channel]);
}

// The `at`-th byte as a number, from the word it lies in.
fn number(word: u32, at: u32) -> i32 {
    let upper = word << (24u - at % 4u * 8u);
    if (params.is_signed == 1u) {
        return bitcast<i32>(upper) >> 24u;
    }
    return i32(upper >> 24u);
}
