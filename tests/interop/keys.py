"""Another implementation (pyca/cryptography, >= 50) reads the key files of `pqc-gpu identity new`, and they are what
they say: the same public keys, signatures that verify, secrets that decapsulate. Its own files are imported in turn.

Usage: keys.py PATH/TO/pqc-gpu
"""

import hashlib
import json
import pathlib
import re
import subprocess
import sys
import tempfile

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import mldsa, mlkem


def blocks(path):
    return re.findall(r"-----BEGIN.*?-----END [A-Z ]+-----\n", pathlib.Path(path).read_text(), re.S)


def run(*args):
    return subprocess.run([PROGRAM, *args], check=True, capture_output=True, text=True).stdout


def raw(public):
    return public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)


def check_pair(path, did):
    signing, kem = (serialization.load_pem_private_key(b.encode(), None) for b in blocks(f"{path}.pem"))
    verifying, encapsulation = (serialization.load_pem_public_key(b.encode()) for b in blocks(f"{path}.pub.pem"))
    assert isinstance(signing, mldsa.MLDSA65PrivateKey) and isinstance(kem, mlkem.MLKEM768PrivateKey)
    assert raw(signing.public_key()) == raw(verifying)
    assert raw(kem.public_key()) == raw(encapsulation)
    verifying.verify(signing.sign(b"message"), b"message")
    secret, ciphertext = encapsulation.encapsulate()
    assert kem.decapsulate(ciphertext) == secret
    assert did == "did:pqaid:" + hashlib.sha3_256(raw(verifying)).hexdigest()


def main():
    with tempfile.TemporaryDirectory() as folder:
        ours = f"{folder}/ours"
        check_pair(ours, json.loads(run("identity", "new", ours, "--json"))["did"])

        theirs = mldsa.MLDSA65PrivateKey.generate()
        pathlib.Path(f"{folder}/theirs.pem").write_bytes(
            theirs.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        imported = f"{folder}/imported"
        did = json.loads(run("identity", "import", f"{folder}/theirs.pem", imported, "--json"))["did"]
        check_pair(imported, did)
        assert did == "did:pqaid:" + hashlib.sha3_256(raw(theirs.public_key())).hexdigest()
    print("keys agree with pyca/cryptography both ways")


PROGRAM = sys.argv[1]
main()
