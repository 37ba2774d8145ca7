"""The kernels, and what is secret in each: the table of tests/constant_time/subjects.rs."""

# Known to everyone, then and after: nothing secret may be stored there.
PUBLIC = "public"
# Known to everyone when the launch starts; what the launch stores there, ciphertext and tags, counts as secret from then on.
SEALED = "sealed"
SECRET = "secret"
# Secret but for block 0, the stamp.
CONTEXT = "context"

# Bytes of a context that are public.
STAMP_BYTES = 16
# Parameters come first, by value, then a pointer a binding.
PARAMS_BYTES = 64

# Of each kernel: what its bindings hold, how often it declassifies, and whether it may make floats of secrets.
KERNELS = {
    "expand_key": ([SECRET, CONTEXT], 0, False),
    "verify": ([CONTEXT, PUBLIC, PUBLIC, PUBLIC], 1, False),
    "finalize": ([CONTEXT, PUBLIC], 1, False),
    "open": ([CONTEXT, PUBLIC, PUBLIC, SECRET], 0, False),
    "seal": ([CONTEXT, SECRET, SEALED], 1, False),
    "tag": ([CONTEXT, PUBLIC, SEALED], 1, False),
    # Over ciphertext.
    "hash_leaves": ([PUBLIC, PUBLIC], 0, False),
    "hash_nodes": ([PUBLIC, PUBLIC], 0, False),
    "compare_root": ([PUBLIC, PUBLIC], 0, False),
    "cast_elements": ([SECRET, SECRET], 0, True),
    "dequantize_blocks": ([SECRET, SECRET], 0, True),
    "dequantize_channels": ([SECRET, SECRET, SECRET, SECRET], 0, True),
    "strided_copy": ([SECRET, SECRET], 0, False),
}
