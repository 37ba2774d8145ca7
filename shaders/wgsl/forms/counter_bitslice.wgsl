// 32 blocks at once, a chunk's 1024 by 32 invocations.

fn crypt_chunk(chunk: u32, lane: u32) {
    let nonce = chunk_nonce(chunk);
    let whole = chunk_length(chunk) / 16u;
    let rest = chunk_length(chunk) % 16u;
    for (var first = lane; first < whole + u32(rest != 0u); first += LANES * 32u) {
        // Counter 1 masks the tag; the data starts at 2.
        let s = keystream(nonce, first + 2u);
        let x = transposed(s.b0, s.b1, s.b2, s.b3);
        let y = transposed(s.b4, s.b5, s.b6, s.b7);
        let z = transposed(s.b8, s.b9, s.b10, s.b11);
        let w = transposed(s.b12, s.b13, s.b14, s.b15);
        // The last block, where it is not whole, comes out of this; the text of all 32 stays short.
        var last = vec4<u32>(0u);
        last |= crypt_four(chunk, first, whole, x.w0, y.w0, z.w0, w.w0);
        last |= crypt_four(chunk, first + 4u * LANES, whole, x.w1, y.w1, z.w1, w.w1);
        last |= crypt_four(chunk, first + 8u * LANES, whole, x.w2, y.w2, z.w2, w.w2);
        last |= crypt_four(chunk, first + 12u * LANES, whole, x.w3, y.w3, z.w3, w.w3);
        last |= crypt_four(chunk, first + 16u * LANES, whole, x.w4, y.w4, z.w4, w.w4);
        last |= crypt_four(chunk, first + 20u * LANES, whole, x.w5, y.w5, z.w5, w.w5);
        last |= crypt_four(chunk, first + 24u * LANES, whole, x.w6, y.w6, z.w6, w.w6);
        last |= crypt_four(chunk, first + 28u * LANES, whole, x.w7, y.w7, z.w7, w.w7);
        if (rest != 0u && whole >= first && whole - first < LANES * 32u && (whole - first) % LANES == 0u) {
            crypt_bytes(chunk, whole, rest, last);
        }
    }
}

// Four blocks of keystream, a stride apart. Gives back the one whose number is `whole`, zeros where none is.
fn crypt_four(
    chunk: u32, first: u32, whole: u32, x: vec4<u32>, y: vec4<u32>, z: vec4<u32>, w: vec4<u32>,
) -> vec4<u32> {
    return crypt_within(chunk, first, whole, vec4<u32>(x.x, y.x, z.x, w.x))
        | crypt_within(chunk, first + LANES, whole, vec4<u32>(x.y, y.y, z.y, w.y))
        | crypt_within(chunk, first + 2u * LANES, whole, vec4<u32>(x.z, y.z, z.z, w.z))
        | crypt_within(chunk, first + 3u * LANES, whole, vec4<u32>(x.w, y.w, z.w, w.w));
}

fn crypt_within(chunk: u32, block: u32, whole: u32, keystream: vec4<u32>) -> vec4<u32> {
    if (block < whole) {
        crypt_block(chunk, block, keystream);
    }
    return select(vec4<u32>(0u), keystream, block == whole);
}
