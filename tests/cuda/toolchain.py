"""NVIDIA's compilers from PyPI: no toolkit, no driver, no GPU."""

import ctypes
import glob
import os
import subprocess
import sys
import sysconfig
import tempfile

ARCHITECTURES = ["sm_75", "sm_80", "sm_89", "sm_90", "sm_100"]


def packaged(pattern: str, package: str) -> str:
    """A file of one of the NVIDIA packages."""
    found = glob.glob(os.path.join(sysconfig.get_paths()["purelib"], "nvidia", "**", pattern), recursive=True)
    if not found:
        sys.exit(f"{pattern} is missing: pip install {package}")
    return found[0]


class Nvrtc:
    """A release of NVRTC."""

    def __init__(self, library: str, package: str):
        self.library = ctypes.CDLL(packaged(library, package))

    def _text(self, name: str, program) -> bytes:
        """What one of NVRTC's pairs of calls gives: first its size, then itself."""
        count = ctypes.c_size_t()
        assert getattr(self.library, f"nvrtcGet{name}Size")(program, ctypes.byref(count)) == 0
        buffer = ctypes.create_string_buffer(count.value)
        assert getattr(self.library, f"nvrtcGet{name}")(program, buffer) == 0
        return buffer.raw

    def _compile(self, source: str, *options: str):
        program = ctypes.c_void_p()
        assert self.library.nvrtcCreateProgram(ctypes.byref(program), source.encode(), b"kernel.cu", 0, None, None) == 0
        options = [option.encode() for option in ("--std=c++17", *options)]
        failed = self.library.nvrtcCompileProgram(program, len(options), (ctypes.c_char_p * len(options))(*options))
        log = self._text("ProgramLog", program).decode().rstrip("\0")
        if failed:
            sys.exit(log)
        return program, log

    def ptx(self, source: str, virtual: str) -> str:
        """A kernel's PTX for a virtual architecture."""
        program, _ = self._compile(source, f"-arch={virtual}")
        return self._text("PTX", program).decode().rstrip("\0")

    def machine_code(self, source: str, architecture: str) -> tuple[bytes, str]:
        """A kernel's machine code for an architecture, and what the assembler says of it."""
        program, log = self._compile(source, f"-arch={architecture}", "--ptxas-options=-v")
        return self._text("CUBIN", program), log


def current() -> Nvrtc:
    return Nvrtc("libnvrtc.so.13", "nvidia-cuda-nvrtc")


def oldest() -> Nvrtc:
    """The oldest that PyPI has, whose PTX needs the least of a driver."""
    return Nvrtc("libnvrtc.so.11.2", "nvidia-cuda-nvrtc-cu11==11.7.99")


def assembled(ptx: str, architecture: str) -> bytes:
    """The machine code that drivers make of PTX, or as good as: their assembler is ptxas's."""
    with tempfile.TemporaryDirectory() as folder:
        source, made = os.path.join(folder, "kernel.ptx"), os.path.join(folder, "kernel.cubin")
        with open(source, "w") as file:
            file.write(ptx)
        command = [packaged("ptxas", "nvidia-cuda-nvcc"), f"-arch={architecture}", source, "-o", made]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"{architecture}: {done.stdout}{done.stderr}")
        with open(made, "rb") as file:
            return file.read()


def disassembled(machine_code: bytes) -> str:
    """The listing of machine code, labels included."""
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(machine_code)
        file.flush()
        command = [packaged("nvdisasm", "nvidia-cuda-nvdisasm"), "-c", file.name]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def kernels(folder: str) -> dict[str, str]:
    """The kernels' texts by name, from a folder that `cargo run --example kernel_text` wrote."""
    paths = sorted(glob.glob(os.path.join(folder, "*.cu")))
    if not paths:
        sys.exit(f"no kernels in {folder}: cargo run --example kernel_text -- {folder}")
    texts = {}
    for path in paths:
        with open(path) as file:
            texts[os.path.basename(path)[:-3]] = file.read()
    return texts
