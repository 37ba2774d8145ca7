// Seven levels of the tree (docs/sealed-format.md, "Roots"): each workgroup makes one node of 128, or of as many as are left. Where neighbours
// are paired from the left, the node over 128 that start at a multiple of 128 is one of the tree's own.

@group(0) @binding(1) var<storage, read> nodes: array<vec2<u32>>;
@group(0) @binding(2) var<storage, read_write> above: array<vec2<u32>>;

const GROUP_NODES = 128u;

var<workgroup> level: array<vec2<u32>, 512>;

@compute @workgroup_size(64)
fn hash_nodes(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let number = group.y * groups.x + group.x;
    let first = min(number * GROUP_NODES, params.chunks);
    var count = min(params.chunks - first, GROUP_NODES);
    for (var lane = local; lane < 4u * GROUP_NODES; lane += 64u) {
        level[lane] = select(vec2<u32>(0u), nodes[4u * first + min(lane, 4u * count - 1u)], lane < 4u * count);
    }
    for (var i = 0u; i < 7u; i++) {
        workgroupBarrier();
        let left = 8u * local;
        if (2u * local + 1u < count) {
            parent(left);
        } else if (2u * local < count) {
            a0 = level[left];
            a1 = level[left + 1u];
            a2 = level[left + 2u];
            a3 = level[left + 3u];
        }
        workgroupBarrier();
        if (2u * local < count) {
            level[4u * local] = a0;
            level[4u * local + 1u] = a1;
            level[4u * local + 2u] = a2;
            level[4u * local + 3u] = a3;
        }
        count = (count + 1u) / 2u;
    }
    workgroupBarrier();
    if (local < 4u && first < params.chunks) {
        above[4u * number + local] = level[local];
    }
}

// SHA3-256("pqgtnode" ‖ left ‖ right) of two nodes that lie one behind the other.
fn parent(left: u32) {
    begin(vec2<u32>(0x74677170u, 0x65646f6eu));
    a1 = level[left];
    a2 = level[left + 1u];
    a3 = level[left + 2u];
    a4 = level[left + 3u];
    a5 = level[left + 4u];
    a6 = level[left + 5u];
    a7 = level[left + 6u];
    a8 = level[left + 7u];
    a9.x = FIRST_MARK;
    mark_last();
    permute();
}
