"""No branch, address, or operation of varying time in the compiled CUDA kernels depends on a key, plaintext or the state of a hash.

    cargo run --example kernel_text -- FOLDER
    python3 tests/cuda/constant_time.py FOLDER

(PyPI: nvidia-cuda-nvrtc nvidia-cuda-nvdisasm nvidia-cuda-nvcc nvidia-cuda-nvrtc-cu11==11.7.99.) Looked through, for each kernel: the PTX that NVRTC
makes and its machine code for every architecture; the PTX that is kept in shaders/cuda/ptx and ptxas's machine code of it. Then
leaks are planted, which must be found. docs/kernels.md says what is taken for a leak.
"""

import os
import re
import sys

from taint import ptx, sass
from taint.planted import EITHER, PLANTS
from taint.values import Memory
from toolchain import ARCHITECTURES, assembled, current, disassembled, kernels, oldest

KEPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "shaders", "cuda", "ptx")


def found(memory: Memory) -> set[str]:
    """The kinds of what leaks; `count` where it declassifies elsewhere, or not where it should."""
    kinds = {kind for _, kind in memory.leaks}
    return kinds | ({"count"} if len(memory.declassified) != memory.declassifies else set())


def compiled(name: str, source: str, compiler, old):
    """A pass over each thing that a text is compiled to."""
    yield "PTX, NVRTC 13", ptx.examine(name, compiler.ptx(source, "compute_90"))
    kept = old.ptx(source, "compute_75")
    yield "PTX, NVRTC 11.7", ptx.examine(name, kept)
    for architecture in ARCHITECTURES:
        yield architecture, sass.examine(name, architecture, disassembled(compiler.machine_code(source, architecture)[0]))


def main() -> None:
    texts, compiler, old = kernels(sys.argv[1]), current(), oldest()
    wrong = []

    def judge(what: str, memory: Memory) -> None:
        if found(memory):
            wrong.append(what)
            print(f"{what}: {len(memory.declassified)} declassified, {memory.declassifies} expected")
            for (at, kind), text in sorted(memory.leaks.items(), key=str)[:8]:
                print(f"    {kind} at {at}: {text}")

    for name, source in texts.items():
        for what, memory in compiled(name, source, compiler, old):
            judge(f"{name}, {what}", memory)
        with open(os.path.join(KEPT, f"{name}.ptx")) as file:
            kept = file.read()
        judge(f"{name}, kept PTX", ptx.examine(name, kept))
        for architecture in ARCHITECTURES:
            judge(f"{name}, kept PTX for {architecture}", sass.examine(name, architecture, disassembled(assembled(kept, architecture))))
        print(f"{name}: looked through")

    for plant in PLANTS:
        source = texts[plant.kernel]
        assert source.count(plant.before) == 1, f"{plant.what}: its place is gone"
        for what, memory in compiled(plant.kernel, source.replace(plant.before, plant.after), compiler, old):
            kinds = found(memory)
            either = EITHER.get(plant.what)
            if not (kinds & either if either else plant.kinds <= kinds if plant.kinds else not kinds):
                wrong.append(plant.what)
                print(f"planted in {plant.kernel}, {what}: {plant.what}: {sorted(kinds) or 'nothing'} found, not {sorted(plant.kinds)}")
        print(f"planted: {plant.what}")

    # What is not known is not passed over.
    listing = disassembled(compiler.machine_code(texts["finalize"], "sm_90")[0])
    unknown = sass.examine("finalize", "sm_90", re.sub(r"\bPLOP3\b|\bSEL\b", "QADD4", listing, count=1))
    text = compiler.ptx(texts["finalize"], "compute_90")
    if "unproven" not in found(unknown) or "unproven" not in found(ptx.examine("finalize", text.replace("or.b32", "frob.b32", 1))):
        wrong.append("an instruction that no pass knows")

    if wrong:
        sys.exit(f"{len(wrong)} of these are not as they should be: {'; '.join(dict.fromkeys(wrong))}")
    print(f"{len(texts)} kernels hold, {len(PLANTS)} plants are told apart")


main()
