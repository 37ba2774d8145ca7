// Two blocks at once, pair after pair: a quarter of the registers.

fn round_key(round: u32) -> Byte {
    return Byte(context[ROUND_PLANES + 2u * round], context[ROUND_PLANES + 2u * round + 1u]);
}

fn crypt_chunk(chunk: u32, lane: u32) {
    let nonce = chunk_nonce(chunk);
    let whole = chunk_length(chunk) / 16u;
    let rest = chunk_length(chunk) % 16u;
    for (var first = lane; first < whole + u32(rest != 0u); first += 2u * LANES) {
        // Counter 1 masks the tag; the data starts at 2.
        let a = planes_of_block(vec4<u32>(nonce, swap_bytes(first + 2u)));
        let b = planes_of_block(vec4<u32>(nonce, swap_bytes(first + LANES + 2u)));
        let s = encrypt_planes(Byte(a.lo | (b.lo << vec4<u32>(16u)), a.hi | (b.hi << vec4<u32>(16u))));
        crypt_within(chunk, first, whole, rest, block_of_planes(s, 0u));
        crypt_within(chunk, first + LANES, whole, rest, block_of_planes(s, 16u));
    }
}

fn crypt_within(chunk: u32, block: u32, whole: u32, rest: u32, keystream: vec4<u32>) {
    if (block < whole) {
        crypt_block(chunk, block, keystream);
    } else if (block == whole && rest != 0u) {
        crypt_bytes(chunk, block, rest, keystream);
    }
}
