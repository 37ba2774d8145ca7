// Converts elements, each through the bits of a binary32. Element types are public, and numbered as `Element` in
// src/kernel/operation.rs.

struct Params {
    count: u32,
    source: u32,
    wanted: u32,
}

const F32 = 0u;
const F16 = 1u;
const BF16 = 2u;
const I8 = 3u;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<u32>;
@group(0) @binding(2) var<storage, read_write> output: array<u32>;

@compute @workgroup_size(64)
fn cast_elements(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let word = word_of(group, groups, local);
    let each = in_word(params.wanted);
    let first = word * each;
    if (first >= params.count) {
        return;
    }
    var made = 0u;
    for (var i = 0u; i < min(each, params.count - first); i++) {
        made |= to_wanted(from_source(first + i)) << (i * (32u / each));
    }
    output[word] = made;
}

// Elements in a word.
fn in_word(element: u32) -> u32 {
    if (element == F32) {
        return 1u;
    }
    return select(4u, 2u, element == F16 || element == BF16);
}

fn from_source(at: u32) -> u32 {
    let each = in_word(params.source);
    let word = input[at / each];
    let bits = 32u / each;
    let value = (word >> (at % each * bits)) & (0xffffffffu >> (32u - bits));
    switch (params.source) {
        case F32: {
            return value;
        }
        case F16: {
            return binary32_of_f16(value);
        }
        case BF16: {
            return binary32_of_bf16(value);
        }
        case I8: {
            return bitcast<u32>(f32(bitcast<i32>(value << 24u) >> 24u));
        }
        default: {
            return bitcast<u32>(f32(value));
        }
    }
}

fn to_wanted(bits: u32) -> u32 {
    switch (params.wanted) {
        case F32: {
            return bits;
        }
        case F16: {
            return f16_of_binary32(bits);
        }
        case BF16: {
            return bf16_of_binary32(bits);
        }
        case I8: {
            let negative = bits >> 31u;
            let whole = min(whole_part(bits), 127u + negative);
            return ((whole ^ ones(negative)) + negative) & 0xffu;
        }
        default: {
            return min(whole_part(bits), 255u) & ~ones(bits >> 31u);
        }
    }
}

// What is left of a binary32's magnitude toward zero; at least 256 where it is more than 255. 0 for a NaN.
fn whole_part(bits: u32) -> u32 {
    let magnitude = bits & 0x7fffffffu;
    // From 2^-1 (126) to 2^8 (135): smaller is 0, larger is out of range whatever it is.
    let exponent = clamp(magnitude >> 23u, 126u, 135u);
    let significand = (magnitude & 0x7fffffu) | 0x800000u;
    return (shifted_sticky(significand, 135u - exponent) >> 15u) & ~ones(is_nan(bits));
}
