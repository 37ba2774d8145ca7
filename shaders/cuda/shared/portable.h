// One text for CUDA, HIP and, for tests without a GPU, a host's C++ compiler, where a block's threads are a loop.

typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;

#if defined(PQC_HOST)

#define DEVICE static inline
#define KERNEL(name, threads) extern "C" void name
#define SHARED static thread_local
#define UNROLL
#define ROLLED
#define EACH_THREAD(thread, threads) for (u32 thread = 0; thread < (threads); thread++)
#define SYNC()
static thread_local u32 host_group;
#define GROUP() host_group
#define COMPUTED_HERE(x)
extern "C" void set_group(u32 group) { host_group = group; }
DEVICE void add_atomically(u32 *to, u32 amount) { *to += amount; }
DEVICE u32 float_bits(float x) {
    u32 bits;
    __builtin_memcpy(&bits, &x, 4);
    return bits;
}

#else

#define DEVICE static __device__ __forceinline__
#define KERNEL(name, threads) extern "C" __global__ void __launch_bounds__(threads) name
#define SHARED __shared__
#define UNROLL _Pragma("unroll")
#define ROLLED _Pragma("unroll 1")
// A thread goes through the loop once, as itself.
#define EACH_THREAD(thread, threads) for (u32 thread = threadIdx.x, once = 1; once; once = 0)
#define SYNC() __syncthreads()
#define GROUP() blockIdx.x
// Keeps what follows from x from being computed sooner, which would cost registers meanwhile.
#define COMPUTED_HERE(x) asm volatile("" : "+r"(x))
DEVICE void add_atomically(u32 *to, u32 amount) { atomicAdd(to, amount); }
DEVICE u32 float_bits(float x) { return __float_as_uint(x); }

#endif

// NVIDIA's GPUs have every function of three words' bits in one instruction, AMD's have not.
#if defined(__HIP__) || defined(PQC_GATES)
#define SUB_BYTES sub_bytes
#else
#define SUB_BYTES sub_bytes_luts
#endif

template <typename F>
DEVICE u32 lut(u32 a, u32 b, u32 c, F f) {
#if defined(__CUDA_ARCH__)
    // PTX names a function by what it makes of these three (ISA section 9.7.8.6).
    constexpr u32 table = f(0xf0, 0xcc, 0xaa) & 0xff;
    u32 d;
    asm("lop3.b32 %0, %1, %2, %3, %4;" : "=r"(d) : "r"(a), "r"(b), "r"(c), "n"(table));
    return d;
#else
    return f(a, b, c);
#endif
}

// A function of three words, told in x, y and z.
#define LUT(function, a, b, c) lut(a, b, c, [](u32 x, u32 y, u32 z) { return function; })

// What may be told of secrets: whether a tag holds, whether a context is usable. The argument is one bit, so the count of its ones is itself;
// the pass over the compiled code (tests/cuda/constant_time.py) knows the place by this instruction.
DEVICE u32 declassify(u32 bit) {
#if defined(__CUDA_ARCH__)
    u32 same;
    asm volatile("popc.b32 %0, %1;" : "=r"(same) : "r"(bit));
    return same;
#else
    return bit;
#endif
}

// 16 bytes; words little-endian, as they lie in memory.
struct alignas(16) Block {
    u32 w[4];
};

DEVICE Block operator^(Block a, Block b) {
    return {{a.w[0] ^ b.w[0], a.w[1] ^ b.w[1], a.w[2] ^ b.w[2], a.w[3] ^ b.w[3]}};
}

// Four of the eight bytes of b and a, b's the upper; each of the selector's digits names one, the lowest first.
DEVICE u32 chosen_bytes(u32 a, u32 b, u32 selector) {
#if defined(PQC_HOST)
    const u64 both = ((u64)b << 32) | a;
    u32 out = 0;
    for (u32 i = 0; i < 4; i++) {
        out |= (u32)((both >> (8 * ((selector >> (4 * i)) & 7))) & 0xff) << (8 * i);
    }
    return out;
#else
    return __byte_perm(a, b, selector);
#endif
}

DEVICE u32 swap_bytes(u32 x) {
    return (x << 24) | ((x & 0xff00u) << 8) | ((x >> 8) & 0xff00u) | (x >> 24);
}

DEVICE Block swap_block(Block x) {
    return {{swap_bytes(x.w[0]), swap_bytes(x.w[1]), swap_bytes(x.w[2]), swap_bytes(x.w[3])}};
}
