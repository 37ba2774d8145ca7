"""What tests/interop/protocol.py checks, a subject a file. A check is a function whose name begins with `check_`."""
