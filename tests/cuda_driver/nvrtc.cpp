// A stand-in for NVRTC: what it gives as machine code is the text itself, which the stand-in driver knows.

#include <cstdlib>
#include <cstring>
#include <string>

struct Program {
    std::string text;
};

extern "C" {

int nvrtcCreateProgram(Program **program, const char *source, const char *, int, const char *const *, const char *const *) {
    *program = new Program{source};
    return 0;
}

int nvrtcCompileProgram(Program *program, int options, const char *const *option) {
    if (getenv("PQC_STAND_IN_NVRTC_FAILS")) {
        return 6;
    }
    // NVRTC_ERROR_INVALID_OPTION, NVRTC_ERROR_COMPILATION.
    bool architecture = false;
    for (int i = 0; i < options; i++) {
        architecture |= strncmp(option[i], "-arch=sm_", 9) == 0;
    }
    return !architecture ? 5 : program->text.find("KERNEL(") == std::string::npos ? 6 : 0;
}

int nvrtcDestroyProgram(Program **program) {
    delete *program;
    *program = nullptr;
    return 0;
}

int nvrtcGetCUBINSize(Program *program, size_t *bytes) {
    *bytes = program->text.size() + 1;
    return 0;
}

int nvrtcGetCUBIN(Program *program, char *code) {
    memcpy(code, program->text.c_str(), program->text.size() + 1);
    return 0;
}

int nvrtcGetProgramLogSize(Program *, size_t *bytes) {
    *bytes = 1;
    return 0;
}

int nvrtcGetProgramLog(Program *, char *log) {
    *log = 0;
    return 0;
}
}
