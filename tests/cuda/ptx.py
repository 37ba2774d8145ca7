"""The PTX in shaders/cuda/ptx, for machines with NVIDIA's driver and no NVRTC.

    cargo run --example kernel_text -- FOLDER
    python3 tests/cuda/ptx.py FOLDER            compares what is there with what the text gives
    python3 tests/cuda/ptx.py FOLDER --write    writes it

(PyPI: nvidia-cuda-nvrtc-cu11==11.7.99 nvidia-cuda-nvcc.) NVRTC 11.7 writes PTX of ISA 7.7, but nothing in it is younger than ISA 6.3, the
oldest that knows sm_75; with that version drivers from CUDA 10.0 on (410.48) take it. ptxas, which holds every instruction
against the version, is asked for each architecture.
"""

import hashlib
import os
import re
import sys

from toolchain import ARCHITECTURES, assembled, kernels, oldest

THERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "shaders", "cuda", "ptx")


def committed(source: str) -> str:
    """The PTX of a kernel as it is kept: under the digest of its text, without the compiler's comments and blank lines."""
    ptx = oldest().ptx(source, "compute_75")
    lines = [line.rstrip() for line in ptx.splitlines() if line.strip() and not line.lstrip().startswith("//")]
    text = "\n".join(lines)
    text, versions = re.subn(r"^\.version 7\.7$", ".version 6.3", text, flags=re.MULTILINE)
    assert versions == 1, "NVRTC 11.7 writes ISA 7.7"
    digest = hashlib.sha3_256(source.encode()).hexdigest()
    return f"// SHA3-256 of the source: {digest}\n// Made by tests/cuda/ptx.py; NVRTC 11.7.99.\n{text}\n"


def main() -> None:
    folder, write = sys.argv[1], "--write" in sys.argv[2:]
    texts, total = kernels(folder), 0
    for name, source in texts.items():
        ptx, path = committed(source), os.path.join(THERE, f"{name}.ptx")
        if write:
            with open(path, "w") as file:
                file.write(ptx)
        try:
            with open(path) as file:
                same = file.read() == ptx
        except FileNotFoundError:
            same = False
        if not same:
            sys.exit(f"shaders/cuda/ptx/{name}.ptx is not what the text gives: python3 tests/cuda/ptx.py {folder} --write")
        sizes = [len(assembled(ptx, architecture)) for architecture in ARCHITECTURES]
        total += len(ptx)
        print(f"{name:<20} {len(ptx):>7} bytes of PTX; machine code {sizes}")
    others = {name[:-4] for name in os.listdir(THERE)} - set(texts)
    if others:
        sys.exit(f"no kernel has these names: {sorted(others)}")
    print(f"{total} bytes of PTX in all")


main()
