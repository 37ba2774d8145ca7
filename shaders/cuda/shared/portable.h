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
#define READ_LATER()
extern "C" void set_group(u32 group) { host_group = group; }
DEVICE void add_atomically(u32 *to, u32 amount) { *to += amount; }

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
#define READ_LATER() asm volatile("" ::: "memory")
DEVICE void add_atomically(u32 *to, u32 amount) { atomicAdd(to, amount); }

#endif

// 16 bytes; words little-endian, as they lie in memory.
struct alignas(16) Block {
    u32 w[4];
};

DEVICE Block operator^(Block a, Block b) {
    return {{a.w[0] ^ b.w[0], a.w[1] ^ b.w[1], a.w[2] ^ b.w[2], a.w[3] ^ b.w[3]}};
}

DEVICE u32 swap_bytes(u32 x) {
    return (x << 24) | ((x & 0xff00u) << 8) | ((x >> 8) & 0xff00u) | (x >> 24);
}

DEVICE Block swap_block(Block x) {
    return {{swap_bytes(x.w[0]), swap_bytes(x.w[1]), swap_bytes(x.w[2]), swap_bytes(x.w[3])}};
}
