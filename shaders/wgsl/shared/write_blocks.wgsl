// Plaintext written as blocks.

alias PLAINTEXT = vec4<u32>;

fn write_block(chunk: u32, block: u32, value: vec4<u32>) {
    plaintext[chunk * (params.chunk_bytes / 16u) + block] = value;
}

// Writes a block's first bytes and leaves what follows them as it is: it may be the caller's.
fn write_bytes(chunk: u32, block: u32, bytes: u32, value: vec4<u32>) {
    let at = chunk * (params.chunk_bytes / 16u) + block;
    let mask = byte_mask(bytes);
    plaintext[at] = (value & mask) | (plaintext[at] & ~mask);
}
