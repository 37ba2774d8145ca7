// Plaintext read as words, for buffers that end within a block.

alias PLAINTEXT = u32;

fn read_block(chunk: u32, block: u32) -> vec4<u32> {
    let at = chunk * (params.chunk_bytes / 4u) + 4u * block;
    return vec4<u32>(plaintext[at], plaintext[at + 1u], plaintext[at + 2u], plaintext[at + 3u]);
}

// A block whose first bytes are there.
fn read_bytes(chunk: u32, block: u32, bytes: u32) -> vec4<u32> {
    let at = chunk * (params.chunk_bytes / 4u) + 4u * block;
    var value = vec4<u32>(0u);
    for (var word = 0u; 4u * word < bytes; word++) {
        value[word] = plaintext[at + word];
    }
    return value;
}
