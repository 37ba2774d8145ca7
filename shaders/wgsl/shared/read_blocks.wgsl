// Plaintext bound as blocks.

alias PLAINTEXT = vec4<u32>;

// A block, zeros behind its first bytes.
fn read_plaintext(chunk: u32, block: u32, bytes: u32) -> vec4<u32> {
    return plaintext[chunk * (params.chunk_bytes / 16u) + block] & byte_mask(bytes);
}
