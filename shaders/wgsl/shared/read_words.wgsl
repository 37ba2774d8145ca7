// Plaintext bound as words, for buffers that end within a block.

alias PLAINTEXT = u32;

// A block, zeros behind its first bytes.
fn read_plaintext(chunk: u32, block: u32, bytes: u32) -> vec4<u32> {
    let at = chunk * (params.chunk_bytes / 4u) + 4u * block;
    var value = vec4<u32>(0u);
    for (var word = 0u; 4u * word < bytes; word++) {
        value[word] = plaintext[at + word];
    }
    return value & byte_mask(bytes);
}
