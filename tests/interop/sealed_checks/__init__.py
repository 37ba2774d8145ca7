"""What tests/interop/sealed.py checks, a subject a file. A check is a function whose name begins with `check_`."""
