// AES-256 key expansion (FIPS 197 section 5.2), H and what GHASH needs of its powers. One workgroup.

@group(0) @binding(1) var<storage, read> key: array<u32>;
@group(0) @binding(2) var<storage, read_write> context: array<vec4<u32>>;

const INVOCATIONS = 64u;

var<workgroup> words: array<u32, 60>;
var<workgroup> h: vec4<u32>;
var<workgroup> powers: array<vec4<u32>, 32>;

@compute @workgroup_size(64)
fn expand_key(@builtin(local_invocation_index) local: u32) {
    if (local == 0u) {
        expand_words();
    }
    workgroupBarrier();
    for (var round = local; round <= 14u; round += INVOCATIONS) {
        let planes = round_key(round);
        context[ROUND_PLANES + 2u * round] = planes.lo;
        context[ROUND_PLANES + 2u * round + 1u] = planes.hi;
    }
    // A byte's eight masks are two blocks.
    for (var byte = local; byte < 240u; byte += INVOCATIONS) {
        let bits = vec4<u32>(words[byte / 4u] >> (8u * (byte % 4u)));
        let not = select(0u, 0xffffffffu, byte >= 16u);
        context[ROUND_MASKS + 2u * byte] = (vec4<u32>(0u) - ((bits >> vec4<u32>(0u, 1u, 2u, 3u)) & vec4<u32>(1u))) ^ (NOT_LO & vec4<u32>(not));
        context[ROUND_MASKS + 2u * byte + 1u] = (vec4<u32>(0u) - ((bits >> vec4<u32>(4u, 5u, 6u, 7u)) & vec4<u32>(1u))) ^ (NOT_HI & vec4<u32>(not));
    }
    if (local == 0u) {
        h = block_of_planes(encrypt_planes(Byte(vec4<u32>(0u), vec4<u32>(0u))), 0u);
        powers[0] = swap_block(h);
        context[H] = h;
        context[STAMP] = vec4<u32>(params.stamp0, params.stamp1, params.stamp2, params.stamp3);
    }
    // H^1 to H^k give H^(k+1) to H^(2k).
    for (var known = 1u; known < 32u; known *= 2u) {
        workgroupBarrier();
        if (local < known) {
            powers[known + local] = multiply(powers[known - 1u], powers[local]);
        }
    }
    workgroupBarrier();
    if (local < 32u) {
        context[POWERS + local] = powers[local];
    }
    for (var bit = local; bit < 128u; bit += INVOCATIONS) {
        // Bit 0 of a byte in memory is the coefficient of its highest power of x.
        var product = powers[31];
        for (var power = 8u * (bit / 8u) + 7u - bit % 8u; power > 0u; power--) {
            product = times_x(product);
        }
        context[PRODUCTS + bit] = swap_block(product);
    }
    if (local < 9u) {
        let word = summed(powers[31].wzyx, local);
        let parts = vec4<u32>(0x11111111u, 0x22222222u, 0x44444444u, 0x88888888u);
        context[PARTS + 2u * local] = vec4<u32>(word) & parts;
        context[PARTS + 2u * local + 1u] = vec4<u32>(reverseBits(word)) & parts;
    }
}

// Karatsuba's sums of four words, in the order of ghash_products.wgsl.
fn summed(word: vec4<u32>, which: u32) -> u32 {
    switch which {
        case 0u: { return word.x; }
        case 1u: { return word.y; }
        case 2u: { return word.z; }
        case 3u: { return word.w; }
        case 4u: { return word.x ^ word.y; }
        case 5u: { return word.z ^ word.w; }
        case 6u: { return word.x ^ word.z; }
        case 7u: { return word.y ^ word.w; }
        default: { return word.x ^ word.y ^ word.z ^ word.w; }
    }
}

// FIPS 197 algorithm 2 for Nk = 8; a word's first byte is its least significant.
fn expand_words() {
    for (var i = 0u; i < 8u; i++) {
        words[i] = key[i];
    }
    var constant = 1u;
    for (var i = 8u; i < 60u; i++) {
        var word = words[i - 1u];
        if (i % 8u == 0u) {
            word = substituted((word >> 8u) | (word << 24u)) ^ constant;
            constant <<= 1u;
        } else if (i % 8u == 4u) {
            word = substituted(word);
        }
        words[i] = words[i - 8u] ^ word;
    }
}

fn substituted(word: u32) -> u32 {
    return word_of_planes(sub_bytes(planes_of_word(word))) ^ 0x63636363u;
}

// A round key for both blocks, with the NOTs that the S-box leaves out.
fn round_key(round: u32) -> Byte {
    let planes = planes_of_block(vec4<u32>(words[4u * round], words[4u * round + 1u], words[4u * round + 2u], words[4u * round + 3u]));
    let not = select(0u, 0xffffffffu, round > 0u);
    return Byte(
        (planes.lo * vec4<u32>(0x10001u)) ^ (NOT_LO & vec4<u32>(not)),
        (planes.hi * vec4<u32>(0x10001u)) ^ (NOT_HI & vec4<u32>(not)),
    );
}
