// The planes of a byte that all blocks share.
DEVICE Byte same(u32 byte) {
    Byte out;
    UNROLL
    for (u32 i = 0; i < 8; i++) {
        out.p[i] = 0u - ((byte >> i) & 1);
    }
    return out;
}
