"""A second implementation of docs/attestation.md, of cbor2 and pyca/cryptography (>= 50), verifies attestations of
`pqc-gpu driver attest` and makes some that `pqc-gpu driver verify` accepts, and one that it must not.

Usage: cose.py PATH/TO/pqc-gpu
"""

import hashlib
import json
import pathlib
import subprocess
import sys
import tempfile
import time

import cbor2
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import mldsa

AAD = b"pqgt driver v1"
MODULE = bytes(range(256)) * 5000


def raw(public):
    return public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)


def structure(protected, payload):
    return cbor2.dumps(["Signature1", protected, AAD, payload])


def verify(attestation, key):
    tag = cbor2.loads(attestation)
    assert tag.tag == 18
    protected, unprotected, payload, signature = tag.value
    assert cbor2.loads(protected) == {1: -49, 4: hashlib.sha3_256(raw(key)).digest()} and unprotected == {}
    key.verify(signature, structure(protected, payload))
    assert cbor2.dumps(tag, canonical=True) == attestation
    return cbor2.loads(payload)


def sign(payload, secret):
    payload = cbor2.dumps(payload)
    protected = cbor2.dumps({1: -49, 4: hashlib.sha3_256(raw(secret.public_key())).digest()})
    signature = secret.sign(structure(protected, payload))
    return cbor2.dumps(cbor2.CBORTag(18, [protected, {}, payload, signature]))


def run(*args, code=0):
    done = subprocess.run([PROGRAM, "driver", *args, "--json"], capture_output=True, text=True)
    assert done.returncode == code, done
    return json.loads(done.stdout)


def main():
    with tempfile.TemporaryDirectory() as folder:
        here = pathlib.Path(folder)
        subprocess.run([PROGRAM, "identity", "new", f"{here}/ours"], check=True, capture_output=True)
        (here / "module.ko").write_bytes(MODULE)
        run(
            "attest", f"{here}/module.ko", "--identity", f"{here}/ours.pem", "--name", "nvidia.ko", "--version", "1.0",
            "--target", "linux-x86_64", "--security-version", "70000", "--not-after", "2100-01-01T00:00:00Z",
            "-o", f"{here}/ours.cose",
        )  # fmt: skip
        # The first block is the ML-DSA-65 key.
        ours = serialization.load_pem_public_key((here / "ours.pub.pem").read_bytes())
        payload = verify((here / "ours.cose").read_bytes(), ours)
        assert list(payload) == list(range(1, 10))
        assert [payload[key] for key in (1, 2, 3)] == ["nvidia.ko", "1.0", "linux-x86_64"]
        assert payload[4] == hashlib.sha3_256(MODULE).digest() and payload[5] == len(MODULE)
        assert payload[6] == 70000 and payload[8] == 4102444800
        assert payload[9] == payload[7] and abs(payload[9] - time.time()) < 60

        theirs = mldsa.MLDSA65PrivateKey.generate()
        (here / "theirs.pub.pem").write_bytes(
            theirs.public_key().public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            )
        )
        (here / "policy.toml").write_text('trusted_signers = ["theirs.pub.pem"]\nname = "nvidia.ko"\n')
        asked = (f"{here}/module.ko", "--attestation", f"{here}/theirs.cose", "--policy", f"{here}/policy.toml")
        (here / "theirs.cose").write_bytes(sign(payload, theirs))
        assert run("verify", *asked)["verified"]
        (here / "theirs.cose").write_bytes(sign(payload | {1: "amdgpu.ko"}, theirs))
        assert not run("verify", *asked, code=1)["verified"]
        (here / "theirs.cose").write_bytes(sign(payload, mldsa.MLDSA65PrivateKey.generate()))
        assert not run("verify", *asked, code=1)["verified"]
    print("attestations agree with cbor2 and pyca/cryptography both ways")


PROGRAM = sys.argv[1]
main()
