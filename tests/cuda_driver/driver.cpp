// A stand-in for NVIDIA's driver: test equipment, of which nothing is ever shipped and whose results are nobody's but its own.
//
// It has the entry points that src/device/cuda calls. Memory lies in the host's; copies and launches are done late and in any
// order that streams and events leave open (queue.h), page-locked memory is read when the copy is done and not when it is asked
// for. Whatever a GPU would answer with silent corruption ends the process with a message.
//
// PQC_STAND_IN_SEED chooses the order, PQC_STAND_IN_DEVICES how many GPUs there are (64), PQC_STAND_IN_POOLS=0 that there are no pools,
// PQC_STAND_IN_KERNELS the folder with the compiled kernels.

#include <algorithm>
#include <chrono>
#include <thread>

#include "kernels.h"

namespace {

const int OUT_OF_MEMORY = 2, INVALID_VALUE = 1, INVALID_DEVICE = 101, INVALID_CONTEXT = 201, INVALID_IMAGE = 200, NOT_FOUND = 500,
          NOT_READY = 600, LAUNCH_FAILED = 719, UNKNOWN = 999;

using Guard = std::lock_guard<std::recursive_mutex>;

long number(const char *name, long otherwise) {
    const char *value = getenv(name);
    return value ? atol(value) : otherwise;
}

// How many more of a kind of call succeed before so many fail; -1 is all.
struct Failing {
    const char *kind;
    int code;
    long left = -1;
    long times = 0;
    long seen = 0;
} failing[] = {{"alloc", OUT_OF_MEMORY}, {"call", OUT_OF_MEMORY}, {"launch", 701}, {"kernel", LAUNCH_FAILED}, {"lost", UNKNOWN}};

int fails(const char *kind) {
    for (Failing &each : failing) {
        if (!strcmp(each.kind, kind)) {
            each.seen++;
            if (each.left > 0) {
                each.left--;
            } else if (each.left == 0) {
                each.left = --each.times > 0 ? 0 : -1;
                return each.code;
            }
        }
    }
    return 0;
}

// The thread's contexts. A thread that ends with one still current has forgotten to pop it.
struct Current {
    std::vector<Context *> stack;
    ~Current() {
        if (!stack.empty()) {
            stop("a thread ended with a context that was pushed and not popped");
        }
    }
};
thread_local Current current;

Context primary[64];

Context *top() { return current.stack.empty() ? nullptr : current.stack.back(); }

// What every call that needs a context begins with: 0, or what it gives instead.
int begin(const char *kind = nullptr) {
    Context *context = top();
    if (!context) {
        return INVALID_CONTEXT;
    }
    if (context->sticky) {
        return context->sticky;
    }
    if (int code = fails("lost")) {
        return context->sticky = code;
    }
    if (int code = fails("call")) {
        return code;
    }
    return kind ? fails(kind) : 0;
}

#define BEGIN(...)                                                                                                     \
    Guard guard(lock);                                                                                                 \
    if (int code = begin(__VA_ARGS__)) {                                                                               \
        return code;                                                                                                   \
    }

Stream *stream_of(Stream *stream) {
    if (!stream) {
        Context *context = top();
        if (!context->default_stream) {
            streams.insert(context->default_stream = new Stream{context, {}});
        }
        return context->default_stream;
    }
    if (!streams.count(stream)) {
        stop("a stream is used that is not there");
    }
    if (stream->context != top()) {
        stop("a stream is used in another context than its own");
    }
    return stream;
}

void later(Stream *stream, std::vector<Range> uses, std::function<void()> run) {
    Operation operation{Operation::RUN, std::move(run), std::move(uses), nullptr, 0};
    stream_of(stream)->operations.push_back(std::move(operation));
}

void check_event(Event *event) {
    if (!events.count(event)) {
        stop("an event is used that is not there");
    }
}

// Others go on meanwhile, so that what they submit may still come before.
void dawdle() { std::this_thread::sleep_for(std::chrono::microseconds(chance() % 8 ? chance() % 60 : chance() % 500)); }

} // namespace

extern "C" {

// The tests' own. From now on the n-th call of a kind (from 0) fails and as many after it as make up `times`; negative: none does.
void stand_in_fail(const char *kind, long n, long times) {
    Guard guard(lock);
    for (Failing &each : failing) {
        if (!strcmp(each.kind, kind)) {
            each.left = n;
            each.times = times;
            each.seen = 0;
        }
    }
}

// How many calls of a kind there were since.
long stand_in_seen(const char *kind) {
    Guard guard(lock);
    for (Failing &each : failing) {
        if (!strcmp(each.kind, kind)) {
            return each.seen;
        }
    }
    return -1;
}

int cuInit(unsigned) {
    Guard guard(lock);
    chance.seed((uint64_t)number("PQC_STAND_IN_SEED", 1));
    for (int i = 0; i < 64; i++) {
        primary[i].device = i;
    }
    return number("PQC_STAND_IN_DEVICES", 64) > 0 ? 0 : 100;
}

int cuDriverGetVersion(int *version) { return *version = 13000, 0; }

int cuDeviceGetCount(int *count) { return *count = (int)std::min(number("PQC_STAND_IN_DEVICES", 64), 64l), 0; }

int cuDeviceGet(int *device, int ordinal) {
    int count;
    cuDeviceGetCount(&count);
    return ordinal < 0 || ordinal >= count ? INVALID_DEVICE : (*device = ordinal, 0);
}

int cuDeviceGetName(char *name, int bytes, int device) {
    return snprintf(name, (size_t)bytes, "a stand-in for tests, %d", device), 0;
}

int cuDeviceTotalMem_v2(size_t *bytes, int) { return *bytes = (size_t)8 << 30, 0; }

int cuDeviceGetAttribute(int *value, int attribute, int) {
    switch (attribute) {
    case 75: *value = 9; break;                                              // compute capability, major
    case 113: *value = 1; break;                                             // read-only memory can be registered
    case 115: *value = (int)number("PQC_STAND_IN_POOLS", 1); break;          // pools
    default: *value = 0; break;
    }
    return 0;
}

int cuDevicePrimaryCtxRetain(Context **context, int device) {
    Guard guard(lock);
    primary[device].retained++;
    return *context = &primary[device], 0;
}

int cuDevicePrimaryCtxRelease_v2(int device) {
    Guard guard(lock);
    if (primary[device].retained-- == 0) {
        stop("a primary context is released more often than it was retained");
    }
    return 0;
}

int cuCtxPushCurrent_v2(Context *context) { return current.stack.push_back(context), 0; }

int cuCtxPopCurrent_v2(Context **context) {
    if (current.stack.empty()) {
        stop("a context is popped that was not pushed");
    }
    *context = current.stack.back();
    return current.stack.pop_back(), 0;
}

int cuCtxGetDevice(int *device) { return top() ? (*device = top()->device, 0) : INVALID_CONTEXT; }

int cuStreamCreate(Stream **stream, unsigned) {
    BEGIN();
    return streams.insert(*stream = new Stream{top(), {}}), 0;
}

int cuStreamDestroy_v2(Stream *stream) {
    Guard guard(lock);
    if (!streams.count(stream)) {
        stop("a stream is destroyed that is not there");
    }
    if (!stream->context->sticky) {
        empty(*stream);
    }
    for (Event *event : events) {
        if (event->last == stream) {
            event->last = nullptr;
        }
    }
    return streams.erase(stream), delete stream, 0;
}

int cuStreamSynchronize(Stream *stream) {
    BEGIN();
    empty(*stream_of(stream));
    return top()->sticky;
}

int cuEventCreate(Event **event, unsigned) {
    BEGIN();
    return events.insert(*event = new Event()), 0;
}

int cuEventDestroy_v2(Event *event) {
    Guard guard(lock);
    check_event(event);
    // Those that wait for it still do: the driver keeps what was recorded.
    if (event->done < event->recorded && event->last && !event->last->context->sticky) {
        advance(*event->last, [&] { return event->done >= event->recorded; });
    }
    for (Stream *stream : streams) {
        auto &all = stream->operations;
        all.erase(std::remove_if(all.begin(), all.end(), [&](const Operation &each) { return each.event == event; }), all.end());
    }
    return events.erase(event), delete event, 0;
}

int cuEventRecord(Event *event, Stream *stream) {
    BEGIN();
    check_event(event);
    event->last = stream_of(stream);
    event->last->operations.push_back({Operation::RECORD, {}, {}, event, ++event->recorded});
    return 0;
}

int cuEventElapsedTime(float *milliseconds, Event *start, Event *end) {
    BEGIN();
    check_event(start);
    check_event(end);
    if (start->done < start->recorded || end->done < end->recorded) {
        return NOT_READY;
    }
    *milliseconds = std::chrono::duration<float, std::milli>(end->at - start->at).count();
    return 0;
}

int cuStreamWaitEvent(Stream *stream, Event *event, unsigned) {
    BEGIN();
    check_event(event);
    if (event->recorded > event->done) {
        stream_of(stream)->operations.push_back({Operation::WAIT, {}, {}, event, event->recorded});
    }
    return 0;
}

int cuEventQuery(Event *event) {
    BEGIN();
    check_event(event);
    for (size_t steps = chance() % 3; steps > 0; steps--) {
        step();
    }
    return top()->sticky ? top()->sticky : event->done >= event->recorded ? 0 : NOT_READY;
}

int cuEventSynchronize(Event *event) {
    dawdle();
    BEGIN();
    check_event(event);
    const uint64_t version = event->recorded;
    if (event->last && event->done < version) {
        finish(*event->last, [&] { return event->done >= version; });
    }
    return top()->sticky;
}

int cuMemAlloc_v2(uint64_t *pointer, size_t bytes) {
    BEGIN("alloc");
    *pointer = take_device(bytes, true, false);
    return *pointer ? 0 : OUT_OF_MEMORY;
}

int cuMemFree_v2(uint64_t pointer) {
    BEGIN();
    const Memory *memory = find_device(pointer, 0);
    if (memory) {
        refuse_pending(pointer, memory->bytes, "memory is freed while work on it is pending");
    }
    return give_device(pointer), 0;
}

int cuMemPoolCreate(void **pool, const void *) {
    BEGIN();
    return *pool = new int(0), 0;
}

int cuMemPoolDestroy(void *pool) { return delete (int *)pool, 0; }
int cuMemPoolSetAttribute(void *, int, void *) { return begin(); }
int cuMemPoolTrimTo(void *, size_t) { return begin(); }

// The memory is there at once, and what is in it whatever the stream comes to do.
int cuMemAllocFromPoolAsync(uint64_t *pointer, size_t bytes, void *, Stream *stream) {
    BEGIN("alloc");
    stream_of(stream);
    *pointer = take_device(bytes, false, true);
    return *pointer ? 0 : OUT_OF_MEMORY;
}

int cuMemFreeAsync(uint64_t pointer, Stream *stream) {
    BEGIN();
    const Memory *memory = find_device(pointer, 0);
    if (!memory || !memory->pooled) {
        stop("memory goes back to a pool that it is not of");
    }
    later(stream, {}, [=] { give_device(pointer); });
    return 0;
}

int cuMemsetD8Async(uint64_t pointer, unsigned char value, size_t bytes, Stream *stream) {
    BEGIN();
    later(stream, {{pointer, bytes}}, [=] {
        if (!find_device(pointer, bytes)) {
            stop("memory is set that is not there");
        }
        memset((void *)pointer, value, bytes);
    });
    return 0;
}

int cuMemcpyHtoDAsync_v2(uint64_t to, const void *from, size_t bytes, Stream *stream) {
    BEGIN();
    later(stream, {{to, bytes}, {(uint64_t)from, bytes}}, [=] {
        if (!find_device(to, bytes) || !is_host(from, bytes)) {
            stop("a copy in from or to memory that is not there or not page-locked");
        }
        memcpy((void *)to, from, bytes);
    });
    return 0;
}

int cuMemcpyDtoHAsync_v2(void *to, uint64_t from, size_t bytes, Stream *stream) {
    BEGIN();
    later(stream, {{from, bytes}, {(uint64_t)to, bytes}}, [=] {
        if (!find_device(from, bytes) || !is_host(to, bytes)) {
            stop("a copy out from or to memory that is not there or not page-locked");
        }
        memcpy(to, (const void *)from, bytes);
    });
    return 0;
}

int cuMemHostAlloc(void **memory, size_t bytes, unsigned) {
    BEGIN("alloc");
    *memory = malloc(bytes);
    memset(*memory, POISON, bytes);
    return host_memory[(uint64_t)*memory] = bytes, 0;
}

int cuMemFreeHost(void *memory) {
    BEGIN();
    auto found = host_memory.find((uint64_t)memory);
    if (found == host_memory.end()) {
        stop("page-locked memory is freed that is not there");
    }
    refuse_pending(found->first, found->second, "page-locked memory is freed while work on it is pending");
    return host_memory.erase(found), free(memory), 0;
}

int cuMemHostRegister_v2(void *memory, size_t bytes, unsigned) {
    BEGIN();
    return host_memory.count((uint64_t)memory) ? 712 : (host_memory[(uint64_t)memory] = bytes, 0);
}

int cuMemHostUnregister(void *memory) {
    Guard guard(lock);
    auto found = host_memory.find((uint64_t)memory);
    if (found == host_memory.end()) {
        return 713;
    }
    refuse_pending(found->first, found->second, "registered memory is let go of while work on it is pending");
    return host_memory.erase(found), 0;
}

int cuMemGetAddressRange_v2(uint64_t *start, size_t *bytes, uint64_t pointer) {
    BEGIN();
    const Memory *memory = find_device(pointer, 1);
    return memory ? (*start = (uint64_t)(memory->raw + FENCE), *bytes = memory->bytes, 0) : NOT_FOUND;
}

int cuPointerGetAttribute(void *value, int attribute, uint64_t pointer) {
    BEGIN();
    if (!find_device(pointer, 1)) {
        return INVALID_VALUE;
    }
    if (attribute == 1) {
        *(Context **)value = top();
    } else if (attribute == 2) {
        *(unsigned *)value = 2;
    } else {
        return INVALID_VALUE;
    }
    return 0;
}

int cuModuleLoadData(Module **module, const void *image) {
    BEGIN();
    const std::string text((const char *)image);
    if (text.find("KERNEL(") == std::string::npos && text.find(".entry") == std::string::npos) {
        return INVALID_IMAGE;
    }
    static auto &compiled = *new std::set<std::string>;
    if (text.find(".entry") != std::string::npos && !compiled.insert(text).second) {
        stop("the same PTX again: a compiled kernel could come from the driver's cache on disk");
    }
    return *module = new Module{text, {}}, 0;
}

int cuModuleUnload(Module *module) {
    Guard guard(lock);
    for (Function *function : module->functions) {
        if (function->pending && !(top() && top()->sticky)) {
            stop("a module is unloaded while launches of it are pending");
        }
        delete function;
    }
    return delete module, 0;
}

int cuModuleGetFunction(Function **function, Module *module, const char *name) {
    BEGIN();
    if (!(*function = find_function(*module, name))) {
        return NOT_FOUND;
    }
    return module->functions.push_back(*function), 0;
}

int cuLaunchKernel(Function *function, unsigned x, unsigned y, unsigned z, unsigned threads, unsigned, unsigned, unsigned, Stream *stream,
                   void **arguments, void **) {
    BEGIN("launch");
    if (x == 0 || y != 1 || z != 1 || threads == 0 || threads > 1024) {
        return INVALID_VALUE;
    }
    Params params;
    memcpy(&params, arguments[0], sizeof params);
    std::vector<uint64_t> pointers;
    std::vector<Range> uses;
    for (size_t i = 1; i <= function->pointers; i++) {
        pointers.push_back(*(uint64_t *)arguments[i]);
        uses.push_back({pointers.back(), 1});
    }
    Context *context = top();
    function->pending++;
    later(stream, uses, [=] {
        function->pending--;
        if (int code = fails("kernel")) {
            context->sticky = code;
        } else {
            run_kernel(*function, x, params, pointers);
        }
    });
    return 0;
}

struct Handle {
    char bytes[64];
};

int cuIpcGetMemHandle(Handle *handle, uint64_t pointer) {
    BEGIN();
    auto found = device_memory.find(pointer);
    if (found == device_memory.end() || found->second.file.empty()) {
        return INVALID_VALUE;
    }
    memset(handle, 0, sizeof *handle);
    return snprintf(handle->bytes, sizeof handle->bytes, "%s %zu", found->second.file.c_str(), found->second.bytes), 0;
}

int cuIpcOpenMemHandle_v2(uint64_t *pointer, Handle handle, unsigned) {
    BEGIN();
    char name[64];
    Memory memory;
    handle.bytes[63] = 0;
    if (sscanf(handle.bytes, "%63s %zu", name, &memory.bytes) != 2) {
        return INVALID_VALUE;
    }
    // As the driver, not in the process that exported it.
    for (auto &[start, own] : device_memory) {
        if (own.file == name) {
            return INVALID_CONTEXT;
        }
    }
    const int file = shm_open(name, O_RDWR, 0);
    if (file < 0) {
        return INVALID_VALUE;
    }
    memory.imported = true;
    memory.raw_bytes = (memory.bytes + 2 * FENCE + 4095) / 4096 * 4096;
    memory.raw = (uint8_t *)mmap(nullptr, memory.raw_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    *pointer = (uint64_t)(memory.raw + FENCE);
    return device_memory[*pointer] = memory, 0;
}

int cuIpcCloseMemHandle(uint64_t pointer) {
    BEGIN();
    const Memory *memory = find_device(pointer, 0);
    if (!memory || !memory->imported) {
        stop("memory is closed that was not opened");
    }
    refuse_pending(pointer, memory->bytes, "memory of another process is closed while work on it is pending");
    return give_device(pointer), 0;
}

} // extern "C"
