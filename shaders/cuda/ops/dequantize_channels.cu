// Bytes to binary32: (byte - zero point) x scale, both of the byte's channel. A thread makes one element.

struct ChannelsParams {
    u32 count;
    u32 inner;
    u32 channels;
    u32 first_inner;
    u32 first_channel;
    u32 is_signed;
    u32 zero_points;
    u32 unused[9];
};

// A byte as a number.
DEVICE int number(u8 byte, u32 is_signed) {
    const int upper = (int)((u32)byte << 24);
    return is_signed == 1 ? upper >> 24 : (int)((u32)upper >> 24);
}

KERNEL(dequantize_channels, OPS_THREADS)(ChannelsParams p, const u8 *input, const u32 *scales, const u8 *zero_points, u32 *output) {
    EACH_THREAD(thread, OPS_THREADS) {
        const u32 word = GROUP() * OPS_THREADS + thread;
        if (word < p.count) {
            const u32 channel = ((p.first_inner + word) / p.inner + p.first_channel) % p.channels;
            int n = number(input[word], p.is_signed);
            if (p.zero_points == 1) {
                n -= number(zero_points[channel], p.is_signed);
            }
            output[word] = scaled(n, scales[channel]);
        }
    }
}
