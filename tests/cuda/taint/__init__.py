"""What in compiled kernels depends on secrets."""
