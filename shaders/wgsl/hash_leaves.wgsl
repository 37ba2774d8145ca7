// The leaf of each bound chunk with its tag: SHA3-256("pqgtleaf" ‖ chunk), one invocation a chunk (docs/sealed-format.md, "Roots").

@group(0) @binding(1) var<storage, read> body: array<vec2<u32>>;
@group(0) @binding(2) var<storage, read_write> nodes: array<vec2<u32>>;

@compute @workgroup_size(64)
fn hash_leaves(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let chunk = 64u * (group.y * groups.x + group.x) + local;
    if (chunk >= params.chunks) {
        return;
    }
    hash_chunk(2u * chunk * chunk_stride(), chunk_length(chunk) + 16u);
    nodes[4u * chunk] = a0;
    nodes[4u * chunk + 1u] = a1;
    nodes[4u * chunk + 2u] = a2;
    nodes[4u * chunk + 3u] = a3;
}

// Lane k of the message is lane k - 1 of the chunk, which starts at lane `first` of what is bound.
fn hash_chunk(first: u32, bytes: u32) {
    begin(vec2<u32>(0x74677170u, 0x6661656cu));
    let full = (bytes + 8u) / 136u;
    for (var block = 0u; block <= full; block++) {
        let lane = 17u * block;
        if (block < full) {
            let at = first + lane;
            if (block > 0u) {
                a0 ^= body[at - 1u];
            }
            a1 ^= body[at];
            a2 ^= body[at + 1u];
            a3 ^= body[at + 2u];
            a4 ^= body[at + 3u];
            a5 ^= body[at + 4u];
            a6 ^= body[at + 5u];
            a7 ^= body[at + 6u];
            a8 ^= body[at + 7u];
            a9 ^= body[at + 8u];
            a10 ^= body[at + 9u];
            a11 ^= body[at + 10u];
            a12 ^= body[at + 11u];
            a13 ^= body[at + 12u];
            a14 ^= body[at + 13u];
            a15 ^= body[at + 14u];
            a16 ^= body[at + 15u];
        } else {
            if (block > 0u) {
                a0 ^= last_lane(first, bytes, lane - 1u);
            }
            a1 ^= last_lane(first, bytes, lane);
            a2 ^= last_lane(first, bytes, lane + 1u);
            a3 ^= last_lane(first, bytes, lane + 2u);
            a4 ^= last_lane(first, bytes, lane + 3u);
            a5 ^= last_lane(first, bytes, lane + 4u);
            a6 ^= last_lane(first, bytes, lane + 5u);
            a7 ^= last_lane(first, bytes, lane + 6u);
            a8 ^= last_lane(first, bytes, lane + 7u);
            a9 ^= last_lane(first, bytes, lane + 8u);
            a10 ^= last_lane(first, bytes, lane + 9u);
            a11 ^= last_lane(first, bytes, lane + 10u);
            a12 ^= last_lane(first, bytes, lane + 11u);
            a13 ^= last_lane(first, bytes, lane + 12u);
            a14 ^= last_lane(first, bytes, lane + 13u);
            a15 ^= last_lane(first, bytes, lane + 14u);
            a16 ^= last_lane(first, bytes, lane + 15u);
            mark_last();
        }
        permute();
    }
}

// A lane of the last block: what is left of the chunk, the mark behind it, zeros.
fn last_lane(first: u32, bytes: u32, lane: u32) -> vec2<u32> {
    if (8u * lane > bytes) {
        return vec2<u32>(0u);
    }
    let kept = bytes - 8u * lane;
    if (kept >= 8u) {
        return body[first + lane];
    }
    let mark = FIRST_MARK << (8u * (kept % 4u));
    let marked = select(vec2<u32>(mark, 0u), vec2<u32>(0u, mark), kept >= 4u);
    if (kept == 0u) {
        return marked;
    }
    return (body[first + lane] & byte_mask(kept).xy) | marked;
}
