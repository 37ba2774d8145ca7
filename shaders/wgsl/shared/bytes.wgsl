// Blocks at offsets that are no multiple of 16. The offsets are lengths, which are public.

// The 16 bytes from `offset` (1 to 15) on in two blocks.
fn shifted_down(low: vec4<u32>, high: vec4<u32>, offset: u32) -> vec4<u32> {
    let words = array<u32, 8>(low.x, low.y, low.z, low.w, high.x, high.y, high.z, high.w);
    let word = offset / 4u;
    let shift = 8u * (offset % 4u);
    var out: vec4<u32>;
    for (var i = 0u; i < 4u; i++) {
        // A shift by 32 would be one by 0, so the upper word's is cut in two.
        let upper = (words[min(word + i + 1u, 7u)] << 1u) << (31u - shift);
        out[i] = (words[word + i] >> shift) | upper;
    }
    return out;
}

// A block moved up by `offset` bytes (1 to 15): what stays in the first block, and what goes over into the second.
struct Split {
    low: vec4<u32>,
    high: vec4<u32>,
}

fn shifted_up(block: vec4<u32>, offset: u32) -> Split {
    let word = offset / 4u;
    let shift = 8u * (offset % 4u);
    var words = array<u32, 9>();
    for (var i = 0u; i < 4u; i++) {
        words[word + i] |= block[i] << shift;
        words[word + i + 1u] |= (block[i] >> 1u) >> (31u - shift);
    }
    return Split(
        vec4<u32>(words[0], words[1], words[2], words[3]),
        vec4<u32>(words[4], words[5], words[6], words[7]),
    );
}
