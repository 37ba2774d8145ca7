"""A second implementation of docs/sealed-format.md (the package pqgs beside this file, on pyca/cryptography >= 50)
agrees with itself, with the committed vectors, and with the program: files sealed by either are opened, verified and
rewrapped by the other, and what one must refuse the other refuses.

Usage: sealed.py PATH/TO/pqc-gpu
"""

import importlib
import sys
import time
import traceback

SUBJECTS = ("cobblestones", "manifests", "roundtrips", "refusals", "vectors", "program_honest", "program_wrong")


def main() -> int:
    """Runs every check of every subject, and says of each how it went."""
    began, passed, failed = time.monotonic(), 0, 0
    for subject in SUBJECTS:
        module = importlib.import_module(f"sealed_checks.{subject}")
        for name, check in vars(module).items():
            if not name.startswith("check_"):
                continue
            title = f"{subject}: {name.removeprefix('check_').replace('_', ' ')}"
            try:
                check()
            except Exception:
                failed += 1
                traceback.print_exc(file=sys.stdout)
                print(f"FAILED: {title}", flush=True)
            else:
                passed += 1
                print(f"passed: {title}", flush=True)
    print(f"sealed files and Python: {passed} passed, {failed} failed, {time.monotonic() - began:.1f} s")
    return 1 if failed else 0


sys.exit(main())
