// Compares a body's root (docs/sealed-format.md, "Roots") with the one that was signed, all its 256 bits, and adds 2^31 to the body's counter where
// they are the same: no number of chunks whose tags hold can stand in for the root.

// `RootCheck` in src/kernel/digest.rs, word for word.
struct Params {
    root_first: vec4<u32>,
    root_last: vec4<u32>,
    verdict: u32,
    chunks: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> top: array<vec2<u32>>;
@group(0) @binding(2) var<storage, read_write> verdicts: array<u32>;

@compute @workgroup_size(1)
fn compare_root() {
    // SHA3-256("pqgtroot" ‖ chunks as 8 bytes ‖ top).
    begin(vec2<u32>(0x74677170u, 0x746f6f72u));
    a1.y = big_endian(params.chunks);
    a2 = top[0];
    a3 = top[1];
    a4 = top[2];
    a5 = top[3];
    a6.x = FIRST_MARK;
    mark_last();
    permute();
    let difference = (vec4<u32>(a0, a1) ^ params.root_first) | (vec4<u32>(a2, a3) ^ params.root_last);
    verdicts[2u * params.verdict] += u32(all(difference == vec4<u32>(0u))) << 31u;
}

fn big_endian(x: u32) -> u32 {
    return (x << 24u) | ((x << 8u) & 0x00ff0000u) | ((x >> 8u) & 0x0000ff00u) | (x >> 24u);
}
