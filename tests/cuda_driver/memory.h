// Memory as the driver hands it out: poisoned, fenced, and looked up at every use.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <map>
#include <string>
#include <sys/mman.h>
#include <unistd.h>

[[noreturn]] inline void stop(const char *what) {
    fprintf(stderr, "stand-in driver: %s\n", what);
    fflush(stderr);
    abort();
}

struct Memory {
    size_t bytes = 0;
    // What malloc or mmap gave, with a fence on either side.
    uint8_t *raw = nullptr;
    size_t raw_bytes = 0;
    // The file that other processes map; empty where they cannot.
    std::string file;
    bool imported = false, pooled = false;
};

const size_t FENCE = 4096;
const uint8_t POISON = 0xa5, FENCE_BYTE = 0x5c, FREED = 0xde;

// By their first byte. Never destroyed, like all that is global here: threads may outlive main.
inline auto &device_memory = *new std::map<uint64_t, Memory>;
inline auto &host_memory = *new std::map<uint64_t, size_t>;

inline const Memory *find_device(uint64_t pointer, size_t bytes) {
    auto after = device_memory.upper_bound(pointer);
    if (after == device_memory.begin()) {
        return nullptr;
    }
    auto [start, memory] = *std::prev(after);
    return pointer - start <= memory.bytes && bytes <= memory.bytes - (pointer - start) ? &std::prev(after)->second : nullptr;
}

inline bool is_host(const void *pointer, size_t bytes) {
    auto after = host_memory.upper_bound((uint64_t)pointer);
    if (after == host_memory.begin()) {
        return false;
    }
    auto [start, size] = *std::prev(after);
    return (uint64_t)pointer - start <= size && bytes <= size - ((uint64_t)pointer - start);
}

inline uint64_t take_device(size_t bytes, bool shared, bool pooled) {
    Memory memory;
    memory.bytes = bytes;
    memory.pooled = pooled;
    memory.raw_bytes = (bytes + 2 * FENCE + 4095) / 4096 * 4096;
    int file = -1;
    if (shared) {
        static int number = 0;
        memory.file = "/pqc-stand-in-" + std::to_string(getpid()) + "-" + std::to_string(number++);
        file = shm_open(memory.file.c_str(), O_RDWR | O_CREAT | O_EXCL, 0600);
        if (file < 0 || ftruncate(file, (off_t)memory.raw_bytes) != 0) {
            stop("no shared memory");
        }
    }
    void *raw = mmap(nullptr, memory.raw_bytes, PROT_READ | PROT_WRITE,
                     shared ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, file, 0);
    if (file >= 0) {
        close(file);
    }
    if (raw == MAP_FAILED) {
        return 0;
    }
    memory.raw = (uint8_t *)raw;
    memset(memory.raw, FENCE_BYTE, FENCE);
    memset(memory.raw + FENCE, POISON, bytes);
    memset(memory.raw + FENCE + bytes, FENCE_BYTE, memory.raw_bytes - FENCE - bytes);
    const uint64_t pointer = (uint64_t)(memory.raw + FENCE);
    device_memory[pointer] = memory;
    return pointer;
}

inline void check_fences(const Memory &memory) {
    for (size_t i = 0; i < memory.raw_bytes; i++) {
        if ((i < FENCE || i >= FENCE + memory.bytes) && memory.raw[i] != FENCE_BYTE) {
            stop("something was written beside an allocation");
        }
    }
}

// Everything goes back erased.
inline void give_device(uint64_t pointer) {
    auto found = device_memory.find(pointer);
    if (found == device_memory.end()) {
        stop("memory is freed that is not there");
    }
    Memory memory = found->second;
    if (!memory.imported) {
        check_fences(memory);
        for (size_t i = 0; i < memory.bytes; i++) {
            if (memory.raw[FENCE + i] != 0) {
                stop("memory is freed that was not erased");
            }
        }
        memset(memory.raw + FENCE, FREED, memory.bytes);
    }
    if (!memory.file.empty()) {
        shm_unlink(memory.file.c_str());
    }
    munmap(memory.raw, memory.raw_bytes);
    device_memory.erase(found);
}
