// Kernels: the text of shaders/cuda compiled for the host beforehand, by their names.
#pragma once

#include <dlfcn.h>

#include "queue.h"

struct Params {
    uint32_t words[16];
};

struct Function {
    std::string name;
    void *entry = nullptr;
    void (*set_group)(uint32_t) = nullptr;
    size_t pointers = 0;
    int pending = 0;
};

struct Module {
    std::string image;
    std::vector<Function *> functions;
};

inline size_t count(const std::string &text, const std::string &what) {
    size_t found = 0;
    for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) {
        found++;
    }
    return found;
}

// How many pointers an entry point takes after its parameters; 0 where the image has none of that name.
inline size_t pointers_of(const std::string &image, const std::string &name) {
    const size_t ptx = image.find(".entry " + name + "(");
    if (ptx != std::string::npos) {
        const size_t start = image.find('(', ptx), end = image.find(')', start);
        return count(image.substr(start, end - start), ".param ") - 1;
    }
    // C++, which the stand-in for NVRTC gives as it is.
    const size_t text = image.rfind("KERNEL(" + name + ",");
    if (text == std::string::npos) {
        return 0;
    }
    const size_t start = image.find(")(", text) + 1, end = image.find(')', start);
    return count(image.substr(start, end - start), ",");
}

inline Function *find_function(const Module &module, const char *name) {
    const char *folder = getenv("PQC_STAND_IN_KERNELS");
    const size_t pointers = pointers_of(module.image, name);
    if (!folder || pointers == 0) {
        return nullptr;
    }
    void *library = dlopen((std::string(folder) + "/" + name).c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        return nullptr;
    }
    auto *function = new Function{name, dlsym(library, name), nullptr, pointers, 0};
    function->set_group = (void (*)(uint32_t))dlsym(library, "set_group");
    if (!function->entry || !function->set_group) {
        stop("a kernel's library without its kernel");
    }
    return function;
}

inline void run_kernel(const Function &function, uint32_t blocks, Params params, const std::vector<uint64_t> &p) {
    for (uint64_t pointer : p) {
        if (!find_device(pointer, 1)) {
            stop("a kernel is given memory that is not there");
        }
    }
    for (uint32_t block = 0; block < blocks; block++) {
        function.set_group(block);
        switch (p.size()) {
        case 2: ((void (*)(Params, uint64_t, uint64_t))function.entry)(params, p[0], p[1]); break;
        case 3: ((void (*)(Params, uint64_t, uint64_t, uint64_t))function.entry)(params, p[0], p[1], p[2]); break;
        case 4:
            ((void (*)(Params, uint64_t, uint64_t, uint64_t, uint64_t))function.entry)(params, p[0], p[1], p[2], p[3]);
            break;
        case 5:
            ((void (*)(Params, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t))function.entry)(params, p[0], p[1], p[2], p[3],
                                                                                              p[4]);
            break;
        default: stop("a kernel with a number of pointers that none has");
        }
    }
}
