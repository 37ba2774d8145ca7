// Converts elements, each through the bits of a binary32. Element types are public, and numbered as `Element` in
// src/kernel/operation.rs.

struct CastParams {
    u32 count;
    u32 source;
    u32 wanted;
    u32 unused[13];
};

enum Element : u32 { F32, F16, BF16, I8, U8 };

// log2 of how many lie in a word.
DEVICE u32 split_of(u32 element) {
    return element == F32 ? 0 : element == F16 || element == BF16 ? 1 : 2;
}

DEVICE u32 from_source(u32 value, u32 source) {
    switch (source) {
    case F32: return value;
    case F16: return binary32_of_f16(value);
    case BF16: return binary32_of_bf16(value);
    case I8: return binary32_of((int)(value << 24) >> 24);
    default: return binary32_of((int)value);
    }
}

// What is left of a binary32's magnitude toward zero; at least 256 where it is more than 255. 0 for a NaN.
DEVICE u32 whole_part(u32 bits) {
    const u32 magnitude = bits & 0x7fffffffu;
    // From 2^-1 (126) to 2^8 (135): smaller is 0, larger is out of range whatever it is.
    const u32 exponent = least(most(magnitude >> 23, 126), 135);
    const u32 significand = (magnitude & 0x7fffffu) | 0x800000u;
    return (shifted_sticky(significand, 135 - exponent) >> 15) & ~ones(is_nan(bits));
}

DEVICE u32 to_wanted(u32 bits, u32 wanted) {
    const u32 negative = bits >> 31;
    switch (wanted) {
    case F32: return bits;
    case F16: return f16_of_binary32(bits);
    case BF16: return bf16_of_binary32(bits);
    case I8: return ((least(whole_part(bits), 127 + negative) ^ ones(negative)) + negative) & 0xff;
    default: return least(whole_part(bits), 255) & ~ones(negative);
    }
}

KERNEL(cast_elements, OPS_THREADS)(CastParams p, const u32 *input, u32 *output) {
    EACH_THREAD(thread, OPS_THREADS) {
        const u32 word = GROUP() * OPS_THREADS + thread;
        const u32 source = split_of(p.source), wanted = split_of(p.wanted);
        const u64 first = (u64)word << wanted;
        if (first < p.count) {
            const u32 there = least(1u << wanted, p.count - (u32)first);
            u32 made = 0;
            ROLLED
            for (u32 i = 0; i < there; i++) {
                const u32 at = (u32)first + i;
                const u32 value = (input[at >> source] >> shift_of(at, source)) & bits_of(source);
                made |= to_wanted(from_source(value, p.source), p.wanted) << shift_of(i, wanted);
            }
            output[word] = made;
        }
    }
}
