// Plaintext bound as blocks.

alias PLAINTEXT = vec4<u32>;

// Writes a block's first bytes and leaves what follows them as it is: it may be the caller's.
fn write_plaintext(chunk: u32, block: u32, bytes: u32, value: vec4<u32>) {
    let at = chunk * (params.chunk_bytes / 16u) + block;
    if (bytes == 16u) {
        plaintext[at] = value;
    } else {
        let mask = byte_mask(bytes);
        plaintext[at] = (value & mask) | (plaintext[at] & ~mask);
    }
}
