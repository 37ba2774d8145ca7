// Elements in another order, or some of them: transpose, permute and slice are strides. What is bound of the input may be a part; output
// elements whose input is not bound are left as they are. Which bytes move where is public, the bytes are not.

struct Params {
    count: u32,
    first: u32,
    element_bytes: u32,
    offset: u32,
    window_first: u32,
    window_count: u32,
    extents: vec4<u32>,
    strides: vec4<u32>,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<u32>;
@group(0) @binding(2) var<storage, read_write> output: array<u32>;

@compute @workgroup_size(64)
fn strided_copy(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let word = word_of(group, groups, local);
    // A word holds one element or several, or is a part of one.
    let words = max(params.element_bytes / 4u, 1u);
    let each = max(4u / params.element_bytes, 1u);
    let bits = 32u / each;
    let start = word / words * each;
    if (start >= params.count) {
        return;
    }
    var made = 0u;
    var mask = 0u;
    for (var i = 0u; i < min(each, params.count - start); i++) {
        // Below `window_first` this wraps round, past every window.
        let source = source_of(params.first + start + i) - params.window_first;
        if (source < params.window_count) {
            let element = input[source / each * words + word % words] >> (source % each * bits);
            let place = (0xffffffffu >> (32u - bits)) << (i * bits);
            made |= (element << (i * bits)) & place;
            mask |= place;
        }
    }
    output[word] = (output[word] & ~mask) | made;
}

// The input element of an output element.
fn source_of(index: u32) -> u32 {
    let extents = params.extents;
    let last = index / extents.w;
    let third = last / extents.z;
    let second = third / extents.y;
    let place = vec4<u32>(second, third % extents.y, last % extents.z, index % extents.w) * params.strides;
    return params.offset + place.x + place.y + place.z + place.w;
}
