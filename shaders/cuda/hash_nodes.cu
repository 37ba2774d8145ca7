// Seven levels of the tree (docs/sealed-format.md, "Roots"): each block of threads makes one node of 128, or of as many as are left. Where neighbours
// are paired from the left, the node over 128 that start at a multiple of 128 is one of the tree's own.

const u32 NODE_THREADS = 64;
const u32 GROUP_NODES = 128;

// SHA3-256("pqgtnode" ‖ left ‖ right) of two nodes that lie one behind the other.
DEVICE void parent(const u64 *left, u64 *to) {
    State s = begin(NODE);
    UNROLL
    for (u32 i = 0; i < 8; i++) {
        s.a[i + 1] = left[i];
    }
    s.a[9] = FIRST_MARK;
    s.a[16] = LAST_MARK;
    permute(s);
    UNROLL
    for (u32 i = 0; i < 4; i++) {
        to[i] = s.a[i];
    }
}

KERNEL(hash_nodes, NODE_THREADS)(Params p, const u64 *nodes, u64 *above) {
    // One level is read from one half and written to the other, so that no thread writes what another still reads.
    SHARED u64 levels[2][4 * GROUP_NODES];
    const u32 first = GROUP() * GROUP_NODES;
    u32 count = p.chunks - first < GROUP_NODES ? p.chunks - first : GROUP_NODES;
    EACH_THREAD(thread, NODE_THREADS) {
        for (u32 lane = thread; lane < 4 * count; lane += NODE_THREADS) {
            levels[0][lane] = nodes[4 * (u64)first + lane];
        }
    }
    ROLLED
    for (u32 i = 0; i < 7; i++) {
        SYNC();
        const u64 *from = levels[i % 2];
        u64 *to = levels[(i + 1) % 2];
        EACH_THREAD(thread, NODE_THREADS) {
            if (2 * thread + 1 < count) {
                parent(from + 8 * thread, to + 4 * thread);
            } else if (2 * thread < count) {
                for (u32 lane = 0; lane < 4; lane++) {
                    to[4 * thread + lane] = from[8 * thread + lane];
                }
            }
        }
        count = (count + 1) / 2;
    }
    SYNC();
    EACH_THREAD(thread, NODE_THREADS) {
        if (thread < 4) {
            above[4 * (u64)GROUP() + thread] = levels[1][thread];
        }
    }
}
