"""Runs the program: `serve` to be connected to, `transfer --connect` towards a Python device."""

import contextlib
import dataclasses
import json
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time
import typing
from collections.abc import Callable, Iterator

from pqgt.background import beside
from pqgt.transport import Stream

from .tools import DEVICE, HOST

PROGRAM = sys.argv[1]
# Seconds for anything at all: only a failure takes so long.
PATIENCE = 20


@dataclasses.dataclass
class Server:
    """A running `serve`, and after it has ended its summary and what it said."""

    port: int
    process: subprocess.Popen[str]
    summary: dict[str, typing.Any] = dataclasses.field(default_factory=dict)
    said: str = ""

    def connect(self) -> Stream:
        """A new connection."""
        return Stream(socket.create_connection(("127.0.0.1", self.port), PATIENCE))


@contextlib.contextmanager
def keys() -> Iterator[pathlib.Path]:
    """A folder with the key files of tools' HOST and DEVICE."""
    with tempfile.TemporaryDirectory() as folder:
        here = pathlib.Path(folder)
        HOST.save(here / "host.pem", here / "host.pub.pem")
        DEVICE.save(here / "device.pem", here / "device.pub.pem")
        yield here


@contextlib.contextmanager
def served(*options: str, code: int | tuple[int, ...] = 0) -> Iterator[Server]:
    """`serve` with DEVICE's identity, which trusts HOST. Behind the block it has ended, by a signal unless `--once`,
    with this exit code, or one of these.
    """
    with keys() as here, (here / "said").open("w+") as said:
        command = [PROGRAM, "serve", "--listen", "127.0.0.1:0", "--identity", f"{here}/device.pem", "--trust",
                   f"{here}/host.pub.pem", "--device", "cpu", "--json", *options]  # fmt: skip
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=said, text=True)
        try:
            server = Server(listening(process, here / "said"), process)
            yield server
            if "--once" not in options:
                process.send_signal(signal.SIGTERM)
            output, _ = process.communicate(timeout=PATIENCE)
        finally:
            process.kill()
            process.wait()
            text = (here / "said").read_text()
        codes = code if isinstance(code, tuple) else (code,)
        assert process.returncode in codes, f"exit {process.returncode}, not {code}: {text}{output}"
        assert output.count("\n") == 1, f"not one JSON object: {output}"
        server.summary, server.said = json.loads(output), text


def listening(process: subprocess.Popen[str], said: pathlib.Path) -> int:
    """The port, once the program has named it."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and process.poll() is None:
        _, found, rest = said.read_text().partition("listening on 127.0.0.1:")
        if found and "\n" in rest:
            return int(rest.split()[0])
        time.sleep(0.005)
    raise AssertionError(f"serve does not listen: {said.read_text()}")


@dataclasses.dataclass
class Transferred:
    """What a `transfer --connect` came to."""

    code: int
    summary: dict[str, typing.Any] | None
    said: str


def transferred(file: pathlib.Path, device: Callable[[Stream], object], *options: str) -> Transferred:
    """`transfer FILE --connect` with HOST's identity, trusting DEVICE, towards this work on one connection."""
    with keys() as here, socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE)

        def work() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.settimeout(PATIENCE)
                device(Stream(connection))

        with beside(work):
            done = subprocess.run(
                [PROGRAM, "transfer", str(file), "--connect", f"127.0.0.1:{listener.getsockname()[1]}", "--trust",
                 f"{here}/device.pub.pem", "--identity", f"{here}/host.pem", "--json", *options],
                capture_output=True, text=True, check=False, timeout=PATIENCE,
            )  # fmt: skip
    assert done.stdout.count("\n") <= 1, f"more than one JSON object: {done.stdout}"
    return Transferred(done.returncode, json.loads(done.stdout) if done.stdout else None, done.stderr)
