// A stand-in for NVML: confidential computing as PQC_STAND_IN_CONFIDENTIAL says, "environment feature developer-tools".

#include <cstdio>
#include <cstdlib>

extern "C" {

int nvmlInit_v2() { return 0; }
int nvmlShutdown() { return 0; }

int nvmlSystemGetConfComputeState(unsigned *state) {
    const char *said = getenv("PQC_STAND_IN_CONFIDENTIAL");
    // NVML_ERROR_NOT_SUPPORTED.
    return said && sscanf(said, "%u %u %u", state, state + 1, state + 2) == 3 ? 0 : 3;
}
}
