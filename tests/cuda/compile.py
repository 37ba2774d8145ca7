"""Compiles the CUDA kernels with NVRTC for every architecture, without a GPU, and tells what became of them.

    cargo run --example kernel_text -- FOLDER
    python3 tests/cuda/compile.py FOLDER        (PyPI: nvidia-cuda-nvrtc, nvidia-cuda-nvdisasm)

Told for each: registers, shared memory, stack and spilled bytes a thread, instructions of the longer basic blocks. A kernel that binds
secrets and keeps anything in local memory fails: that is device memory, which nobody erases.
"""

import re
import sys

from taint.subjects import KERNELS, PUBLIC
from toolchain import ARCHITECTURES, current, disassembled, kernels

LONGEST_LOOP = 60


def loops(machine_code: bytes) -> list[int]:
    """Instructions of each longer basic block, in order."""
    blocks = [0]
    for line in disassembled(machine_code).splitlines():
        if line.startswith(".L_x_"):
            blocks.append(0)
        elif re.search(r"/\*[0-9a-f]{4,}\*/\s+(@!?U?P\w+\s+)?[A-Z]", line):
            blocks[-1] += 1
    return [block for block in blocks if block > LONGEST_LOOP]


def main() -> None:
    compiler, spilling = current(), []
    print(f"{'kernel':<20}{'arch':<8}{'registers':>9}{'shared':>8}{'stack':>7}{'spills':>8}  instructions of the longer blocks")
    for name, source in kernels(sys.argv[1]).items():
        for architecture in ARCHITECTURES:
            machine_code, log = compiler.machine_code(source, architecture)

            def told(pattern: str) -> int:
                found = re.search(pattern, log)
                return int(found[1]) if found else 0

            registers, shared = told(r"Used (\d+) registers"), told(r"(\d+) bytes smem")
            stack, spills = told(r"(\d+) bytes stack frame"), told(r"(\d+) bytes spill stores")
            if (stack or spills) and set(KERNELS[name][0]) != {PUBLIC}:
                spilling.append(f"{name} for {architecture}")
            if not registers:
                sys.exit(f"the assembler says nothing of {name}: {log}")
            print(f"{name:<20}{architecture:<8}{registers:>9}{shared:>8}{stack:>7}{spills:>8}  {loops(machine_code)}")
    if spilling:
        sys.exit(f"in local memory: {', '.join(spilling)}")


main()
