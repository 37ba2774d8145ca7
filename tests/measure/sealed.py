"""Sealing and loading a model, in one run: `pqc-gpu`, plain safetensors, and the package cryptotensors.

Every step is a process of its own, so that its peak memory is its own; the steps take turns, `--runs` times over, so
that the machine's moods are everybody's. A figure is the median over the runs, GB/s count the bytes of the tensors.

- Of the program the whole process is timed, start and reading keys included; of a Python package its call alone,
  without the interpreter's start and imports.
- Files are read from the page cache. What is written is synced to the disk before the clock stops, as the program does by
  itself: a step that writes is measured with the disk.
- `peak` is the high-water mark of resident memory (getrusage), mapped pages of files included; `own` leaves those out
  (RssAnon, read every two milliseconds while the process runs, so a shorter peak can be missed). The CPU device's
  memory is the process's own.

Usage: sealed.py PATH/TO/pqc-gpu MODEL.safetensors [--device D] [--runs N] [--scratch FOLDER] [--json]
Needs numpy, safetensors, cryptotensors and cryptography from PyPI.
"""

import argparse
import base64
import contextlib
import dataclasses
import hashlib
import importlib.metadata
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import typing

STEPS = {
    "plain save": "safetensors: save_file, synced",
    "program seal": "pqc-gpu seal",
    "cryptotensors save": "cryptotensors: save_file, encrypted and signed, synced",
    "plain load": "safetensors: mapped, every tensor copied to memory",
    "program load": "pqc-gpu load",
    "program open": "pqc-gpu open, to a file",
    "cryptotensors load": "cryptotensors: every tensor decrypted to memory",
    "plain upload": "pqc-gpu transfer: its plain upload to the same device",
}


@dataclasses.dataclass
class Figure:
    """One run of one step."""

    seconds: float
    peak: int
    own: int


def main() -> int:
    """The whole measurement, or one step of it in a child."""
    if sys.argv[1:2] == ["--child"]:
        child(*sys.argv[2:])
        return 0
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("model")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--scratch", help="where the files are written (a temporary folder)")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.scratch) as folder:
        report = measure(arguments, pathlib.Path(folder))
    if arguments.json:
        print(json.dumps(report))
    else:
        table(report)
    return 0


def measure(arguments: argparse.Namespace, here: pathlib.Path) -> dict[str, typing.Any]:
    """All steps, all runs."""
    model = pathlib.Path(arguments.model).resolve()
    size = tensor_bytes(model)
    crypto_keys(here / "crypto.json")
    for who in ("publisher", "recipient"):
        subprocess.run([arguments.program, "identity", "new", here / who], check=True, capture_output=True)
    figures: dict[str, list[Figure]] = {name: [] for name in STEPS}
    missing: dict[str, str] = {}
    for number in range(arguments.runs):
        for name, title in STEPS.items():
            if name in missing:
                continue
            say(f"run {number + 1} of {arguments.runs}: {title}")
            try:
                figures[name].append(one(name, arguments, model, here, size))
            except NotMeasured as reason:
                missing[name] = str(reason)
                say(f"not measured: {reason}")
    agree(model, here)
    rows = [row(name, title, figures[name], size, missing.get(name)) for name, title in STEPS.items()]
    sealed = here / "sealed"
    return {
        "model": model.name, "bytes": size, "sealed_bytes": sealed.stat().st_size if sealed.exists() else None,
        "device": arguments.device, "runs": arguments.runs, "machine": machine(), "versions": versions(arguments),
        "rows": rows,
    }  # fmt: skip


class NotMeasured(Exception):
    """Why there is no figure."""


def one(name: str, arguments: argparse.Namespace, model: pathlib.Path, here: pathlib.Path, size: int) -> Figure:
    """One step."""
    program, secret = arguments.program, here / "recipient.pem"
    for output in OUTPUTS.get(name, ()):
        (here / output).unlink(missing_ok=True)
    match name:
        case "program seal":
            command = [program, "seal", model, "--to", here / "recipient.pub.pem", "--sign-with",
                       here / "publisher.pem", "-o", here / "sealed", "--json"]  # fmt: skip
            return timed(command)[0]
        case "program load":
            command = [program, "load", here / "sealed", "--device", arguments.device, "--identity", secret, "--trust",
                       here / "publisher.pub.pem", "--json"]  # fmt: skip
            return timed(command)[0]
        case "program open":
            command = [program, "open", here / "sealed", "--identity", secret, "--trust", here / "publisher.pub.pem",
                       "-o", here / "opened.safetensors", "--json"]  # fmt: skip
            return timed(command)[0]
        case "plain upload":
            figure, output = timed([program, "transfer", model, "--device", arguments.device, "--json"])
            gbps = json.loads(output)["plain_upload_gbps"]
            if gbps is None:
                raise NotMeasured("transfer timed no plain upload")
            # The process does more than the upload, so its memory says nothing about that.
            return dataclasses.replace(figure, seconds=size / gbps / 1e9, peak=0, own=0)
    figure, output = timed([sys.executable, __file__, "--child", name, model, here])
    return dataclasses.replace(figure, seconds=float(output))


OUTPUTS = {
    "plain save": ("plain.safetensors",), "program seal": ("sealed",), "cryptotensors save": ("crypto.safetensors",),
    "program open": ("opened.safetensors",),
}  # fmt: skip


def timed(command: list[object]) -> tuple[Figure, str]:
    """Runs it to its end."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        began = time.perf_counter()
        process = subprocess.Popen([str(part) for part in command], stdout=out, stderr=err)
        own = 0
        while True:
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
            if pid:
                break
            own = max(own, anonymous(process.pid))
            time.sleep(0.002)
        seconds = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        for stream in (out, err):
            stream.seek(0)
        if process.returncode:
            raise NotMeasured(f"exit {process.returncode}: {(err.read().strip() or 'nothing said').splitlines()[0]}")
        return Figure(seconds, usage.ru_maxrss * 1024, own), out.read()


def anonymous(pid: int) -> int:
    """Resident memory that no file stands behind."""
    with contextlib.suppress(OSError):
        for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) * 1024
    return 0


def child(step: str, model: str, folder: str) -> None:
    """A package's step: prints the seconds of its call."""
    import cryptotensors
    import cryptotensors.numpy
    import safetensors
    import safetensors.numpy

    here = pathlib.Path(folder)
    keys = json.loads((here / "crypto.json").read_text())
    tensors: dict[str, typing.Any] = {}
    if step.endswith("save"):
        tensors = safetensors.numpy.load_file(model)
    began = time.perf_counter()
    match step:
        case "plain save":
            safetensors.numpy.save_file(tensors, here / "plain.safetensors")
        case "cryptotensors save":
            cryptotensors.numpy.save_file(tensors, here / "crypto.safetensors", config=keys)
        case "plain load":
            with safetensors.safe_open(model, "np") as file:
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        case "cryptotensors load":
            with cryptotensors.safe_open(here / "crypto.safetensors", "np", config=keys) as file:
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    for output in OUTPUTS.get(step, ()):
        with (here / output).open("rb") as file:
            os.fsync(file.fileno())
    print(time.perf_counter() - began)
    assert tensors or not tensor_bytes(pathlib.Path(model))


def crypto_keys(path: pathlib.Path) -> None:
    """cryptotensors' two keys, in its own form of JWK."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    secret = Ed25519PrivateKey.generate()
    both = {"x": secret.public_key().public_bytes_raw(), "d": secret.private_bytes_raw(), "k": os.urandom(32)}
    text = {name: base64.b64encode(value).decode() for name, value in both.items()}
    path.write_text(json.dumps({
        "enc_key": {"kty": "oct", "alg": "aes256gcm", "kid": "enc", "k": text["k"]},
        "sign_key": {"kty": "okp", "alg": "ed25519", "crv": "Ed25519", "kid": "sign", "x": text["x"], "d": text["d"]},
    }))  # fmt: skip


def agree(model: pathlib.Path, here: pathlib.Path) -> None:
    """What was opened is what was sealed; what cryptotensors loads is what the model holds."""
    if (opened := here / "opened.safetensors").exists():
        digests = [hashlib.sha3_256(path.read_bytes()).digest() for path in (model, opened)]
        assert digests[0] == digests[1], "the program gave another file back"
    if (here / "crypto.safetensors").exists():
        import cryptotensors
        import safetensors

        keys = json.loads((here / "crypto.json").read_text())
        with (
            safetensors.safe_open(model, "np") as plain,
            cryptotensors.safe_open(here / "crypto.safetensors", "np", config=keys) as crypto,
        ):
            for name in plain.keys():  # noqa: SIM118
                assert (plain.get_tensor(name) == crypto.get_tensor(name)).all(), (
                    "cryptotensors gave other tensors back"
                )


def tensor_bytes(model: pathlib.Path) -> int:
    """Of the tensors, without the header."""
    with model.open("rb") as file:
        return model.stat().st_size - 8 - int.from_bytes(file.read(8), "little")


def row(name: str, title: str, figures: list[Figure], size: int, missing: str | None) -> dict[str, typing.Any]:
    """A step's figures."""
    if missing is not None or not figures:
        return {"step": name, "what": title, "not_measured": missing or "no run"}
    seconds = sorted(figure.seconds for figure in figures)
    median = statistics.median(seconds)
    return {
        "step": name, "what": title, "seconds": median, "seconds_from": seconds[0], "seconds_to": seconds[-1],
        "gbps": size / median / 1e9,
        "peak_bytes": statistics.median(figure.peak for figure in figures) or None,
        "own_bytes": statistics.median(figure.own for figure in figures) or None,
    }  # fmt: skip


def table(report: dict[str, typing.Any]) -> None:
    """For people, ready for docs/measurements.md."""
    versions = ", ".join(f"{name} {version}" for name, version in report["versions"].items())
    sealed = f"{report['sealed_bytes']:,} bytes sealed" if report["sealed_bytes"] else "not sealed"
    print(f"{report['model']}, {report['bytes']:,} bytes of tensors, {sealed}, device {report['device']}, "
          f"{report['runs']} runs; {report['machine']}; {versions}\n")  # fmt: skip
    print("| what | seconds (range) | GB/s | peak, MB | own, MB |\n|---|---|---|---|---|")
    for one in report["rows"]:
        if "not_measured" in one:
            print(f"| {one['what']} | not measured: {one['not_measured']} | | | |")
            continue
        memory = [f"{one[key] / 1e6:.0f}" if one[key] else "" for key in ("peak_bytes", "own_bytes")]
        print(f"| {one['what']} | {one['seconds']:.3f} ({one['seconds_from']:.3f}–{one['seconds_to']:.3f}) | "
              f"{one['gbps']:.2f} | {memory[0]} | {memory[1]} |")  # fmt: skip


def machine() -> str:
    """Processor, cores, load."""
    names = [line.split(":", 1)[1].strip() for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines()
             if line.startswith("model name")]  # fmt: skip
    return f"{os.cpu_count()} × {names[0] if names else platform.machine()}, load {os.getloadavg()[0]:.1f}"


def versions(arguments: argparse.Namespace) -> dict[str, str]:
    """Of everybody."""
    said = subprocess.run([arguments.program, "--version"], check=True, capture_output=True, text=True).stdout.split()
    return {said[0]: said[-1]} | {name: importlib.metadata.version(name) for name in ("safetensors", "cryptotensors")}


def say(line: str) -> None:
    """On standard error: standard output is the report's."""
    print(line, file=sys.stderr, flush=True)


sys.exit(main())
