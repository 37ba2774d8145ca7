"""Compiles the CUDA kernels with NVRTC for every architecture, without a GPU, and tells what became of them.

    cargo run --example kernel_text -- FOLDER
    python3 tests/cuda/compile.py FOLDER        (PyPI: nvidia-cuda-nvrtc, nvidia-cuda-nvdisasm)

Told for each: registers, shared memory, stack and spilled bytes a thread, instructions of the longer basic blocks.
"""

import ctypes
import glob
import os
import re
import subprocess
import sys
import sysconfig
import tempfile

ARCHITECTURES = ["sm_75", "sm_80", "sm_89", "sm_90", "sm_100"]
LONGEST_LOOP = 60


def packaged(pattern: str) -> str:
    """A file of one of the NVIDIA packages."""
    found = glob.glob(os.path.join(sysconfig.get_paths()["purelib"], "nvidia", "**", pattern), recursive=True)
    if not found:
        sys.exit(f"{pattern} is missing: pip install nvidia-cuda-nvrtc nvidia-cuda-nvdisasm")
    return found[0]


NVRTC = ctypes.CDLL(packaged("libnvrtc.so.*"))


def text_of(size, get, program) -> bytes:
    """What one of NVRTC's pairs of calls gives: first its size, then itself."""
    count = ctypes.c_size_t()
    assert size(program, ctypes.byref(count)) == 0
    buffer = ctypes.create_string_buffer(count.value)
    assert get(program, buffer) == 0
    return buffer.raw


def compiled(source: bytes, architecture: str) -> tuple[bytes, str]:
    """A kernel's machine code and what the assembler says of it."""
    program = ctypes.c_void_p()
    assert NVRTC.nvrtcCreateProgram(ctypes.byref(program), source, b"kernel.cu", 0, None, None) == 0
    options = [f"-arch={architecture}".encode(), b"--std=c++17", b"--ptxas-options=-v", b"--diag-suppress=177"]
    failed = NVRTC.nvrtcCompileProgram(program, len(options), (ctypes.c_char_p * len(options))(*options))
    log = text_of(NVRTC.nvrtcGetProgramLogSize, NVRTC.nvrtcGetProgramLog, program).decode().rstrip("\0")
    if failed:
        sys.exit(f"{architecture}: {log}")
    return text_of(NVRTC.nvrtcGetCUBINSize, NVRTC.nvrtcGetCUBIN, program), log


def loops(machine_code: bytes) -> list[int]:
    """Instructions of each longer basic block, in order."""
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(machine_code)
        file.flush()
        listing = subprocess.run([packaged("nvdisasm"), "-c", file.name], capture_output=True, text=True, check=True).stdout
    blocks = [0]
    for line in listing.splitlines():
        if line.startswith(".L_x_"):
            blocks.append(0)
        elif re.search(r"/\*[0-9a-f]{4,}\*/\s+(@!?U?P\w+\s+)?[A-Z]", line):
            blocks[-1] += 1
    return [block for block in blocks if block > LONGEST_LOOP]


def main() -> None:
    print(f"{'kernel':<12}{'arch':<8}{'registers':>9}{'shared':>8}{'stack':>7}{'spills':>8}  instructions of the longer blocks")
    for path in sorted(glob.glob(os.path.join(sys.argv[1], "*.cu"))):
        source = open(path, "rb").read()
        for architecture in ARCHITECTURES:
            machine_code, log = compiled(source, architecture)

            def told(pattern: str) -> int:
                found = re.search(pattern, log)
                return int(found[1]) if found else 0

            registers, shared = told(r"Used (\d+) registers"), told(r"(\d+) bytes smem")
            stack, spills = told(r"(\d+) bytes stack frame"), told(r"(\d+) bytes spill stores")
            if not registers:
                sys.exit(f"the assembler says nothing of {path}: {log}")
            name = os.path.basename(path)[:-3]
            print(f"{name:<12}{architecture:<8}{registers:>9}{shared:>8}{stack:>7}{spills:>8}  {loops(machine_code)}")


main()
