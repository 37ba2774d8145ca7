// Plaintext read as blocks.

alias PLAINTEXT = vec4<u32>;

fn read_block(chunk: u32, block: u32) -> vec4<u32> {
    return plaintext[chunk * (params.chunk_bytes / 16u) + block];
}

// A block whose first bytes are there.
fn read_bytes(chunk: u32, block: u32, bytes: u32) -> vec4<u32> {
    return read_block(chunk, block);
}
