// Plaintext written as words, for buffers that end within a block.

alias PLAINTEXT = u32;

fn write_block(chunk: u32, block: u32, value: vec4<u32>) {
    let at = chunk * (params.chunk_bytes / 4u) + 4u * block;
    plaintext[at] = value.x;
    plaintext[at + 1u] = value.y;
    plaintext[at + 2u] = value.z;
    plaintext[at + 3u] = value.w;
}

// Writes a block's first bytes and leaves what follows them as it is: it may be the caller's.
fn write_bytes(chunk: u32, block: u32, bytes: u32, value: vec4<u32>) {
    let at = chunk * (params.chunk_bytes / 4u) + 4u * block;
    let mask = byte_mask(bytes);
    for (var word = 0u; 4u * word < bytes; word++) {
        plaintext[at + word] = (value[word] & mask[word]) | (plaintext[at + word] & ~mask[word]);
    }
}
