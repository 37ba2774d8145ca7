"""A second implementation of docs/protocol.md (the package pqgt beside this file, on pyca/cryptography >= 50) agrees
with itself, with the committed vectors, and with the program over a socket, as host and as device.

Usage: protocol.py PATH/TO/pqc-gpu
"""

import importlib
import time

SUBJECTS = (
    "metadatas", "handshakes", "sessions", "sockets", "vectors", "vector_refusals",
    "serve_honest", "serve_wrong", "transfer_honest", "transfer_wrong", "attestations",
)  # fmt: skip


def main() -> None:
    """Runs every check of every subject; the first that fails ends it."""
    began, count = time.monotonic(), 0
    for subject in SUBJECTS:
        module = importlib.import_module(f"protocol_checks.{subject}")
        checks = [check for name, check in vars(module).items() if name.startswith("check_")]
        for check in checks:
            check()
        print(f"{subject}: {len(checks)} checks")
        count += len(checks)
    print(f"the protocol agrees with Python's in {count} checks, {time.monotonic() - began:.1f} s")


main()
