"""Signs a real kernel module as scripts/sign-file does, with other hands than ours: certificates by pyca/cryptography
(>= 50), CMS by asn1crypto (ML-DSA-44, -65, -87, RFC 9882) and by `openssl cms` (RSA, ECDSA). What `pqc-gpu driver inspect`
says of each must be so.

Usage: modules.py PATH/TO/pqc-gpu MODULE.ko
"""

import datetime
import hashlib
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

from asn1crypto import algos, cms, core
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, mldsa, rsa

MAGIC = b"~Module signature appended~\n"
PEM, DER = serialization.Encoding.PEM, serialization.Encoding.DER
ML_DSA = {
    f"ML-DSA-{level}": (getattr(mldsa, f"MLDSA{level}PrivateKey"), f"2.16.840.1.101.3.4.3.{arc}")
    for level, arc in ((44, 17), (65, 18), (87, 19))
}


def certificate(key, algorithm):
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Modules, \N{LATIN SMALL LETTER O WITH DIAERESIS}")])
    now = datetime.datetime(2026, 1, 1)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now)
    builder = builder.not_valid_after(now + datetime.timedelta(days=36500))
    identifier = x509.SubjectKeyIdentifier(hashlib.sha1(b"any").digest())
    return builder.add_extension(identifier, critical=False).sign(key, algorithm)


def signed_data(key, oid, cert, module, attributes, by_key_id):
    parsed = asn1_x509.Certificate.load(cert.public_bytes(DER))
    if by_key_id:
        sid = cms.SignerIdentifier("subject_key_identifier", parsed.key_identifier_value.native)
    else:
        issuer = cms.IssuerAndSerialNumber({"issuer": parsed.issuer, "serial_number": parsed.serial_number})
        sid = cms.SignerIdentifier("issuer_and_serial_number", issuer)
    info = {
        "version": "v3" if by_key_id else "v1",
        "sid": sid,
        "digest_algorithm": algos.DigestAlgorithm({"algorithm": "sha512"}),
        "signature_algorithm": algos.SignedDigestAlgorithm({"algorithm": oid}),
    }
    content = module
    if attributes:
        digest = hashlib.sha512(module).digest()
        values = (("content_type", "data"), ("message_digest", digest))
        info["signed_attrs"] = cms.CMSAttributes([cms.CMSAttribute({"type": k, "values": [v]}) for k, v in values])
        content = info["signed_attrs"].dump()
        assert content[0] == 0x31
    info["signature"] = core.OctetString(key.sign(content))
    data = cms.SignedData(
        {
            "version": "v3" if by_key_id else "v1",
            "digest_algorithms": [info["digest_algorithm"]],
            "encap_content_info": {"content_type": "data"},
            "signer_infos": [cms.SignerInfo(info)],
        }
    )
    return cms.ContentInfo({"content_type": "signed_data", "content": data}).dump()


def append(module, message):
    trailer = bytes([0, 0, 2, 0, 0, 0, 0, 0]) + len(message).to_bytes(4, "big")
    return module + message + trailer + MAGIC


def inspect(file, *args, code=0):
    done = subprocess.run([PROGRAM, "driver", "inspect", file, *args, "--json"], capture_output=True, text=True)
    assert done.returncode == code, done
    return json.loads(done.stdout)


def check(here, signed, cert, algorithm, kind, attributes):
    """It verifies with its certificate; altered, or with another's, it does not."""
    file = here / "signed.ko"
    file.write_bytes(signed)
    (here / "cert.der").write_bytes(cert.public_bytes(DER))
    (here / "cert.pem").write_bytes(cert.public_bytes(PEM))
    for name in ("cert.der", "cert.pem"):
        told = inspect(file, "--certificate", here / name)
        assert told["verified"] is True, told
    signer = told["signers"][0]
    assert (signer["algorithm"], signer["kind"], signer["signed_attributes"]) == (algorithm, kind, attributes), signer
    if signer["issuer"]:
        # RFC 4514 escapes the comma.
        assert signer["issuer"] == cert.issuer.rfc4514_string(), (signer["issuer"], cert.issuer.rfc4514_string())
        assert int(signer["serial"], 16) == cert.serial_number
    else:
        extension = cert.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
        assert signer["key_id"] == extension.value.digest.hex()
    file.write_bytes(signed[:5000] + bytes([signed[5000] ^ 1]) + signed[5001:])
    assert inspect(file, "--certificate", here / "cert.der", code=1)["verified"] is False


def main(program, module):
    module = pathlib.Path(module).read_bytes()
    assert module.endswith(MAGIC)
    bare = module[: -40 - int.from_bytes(module[-32:-28], "big")]
    count = 0
    with tempfile.TemporaryDirectory() as folder:
        here = pathlib.Path(folder)
        for algorithm, (kind, oid) in ML_DSA.items():
            key = kind.generate()
            cert = certificate(key, None)
            for attributes in (False, True):
                for by_key_id in (False, True):
                    message = signed_data(key, oid, cert, bare, attributes, by_key_id)
                    check(here, append(bare, message), cert, algorithm, "post-quantum", attributes)
                    count += 1
            # The same names on another key.
            forged = signed_data(kind.generate(), oid, cert, bare, False, False)
            (here / "signed.ko").write_bytes(append(bare, forged))
            assert inspect(here / "signed.ko", "--certificate", here / "cert.der", code=1)["verified"] is False

        classical = [
            (rsa.generate_private_key(65537, 4096), "RSA", "sha512"),
            (rsa.generate_private_key(65537, 2048), "RSA", "sha256"),
            (ec.generate_private_key(ec.SECP384R1()), "ECDSA", "sha512"),
            (ec.generate_private_key(ec.SECP384R1()), "ECDSA", "sha384"),
        ]
        for key, algorithm, digest in classical if shutil.which("openssl") else []:
            cert = certificate(key, hashes.SHA256())
            (here / "cert.pem").write_bytes(cert.public_bytes(PEM))
            private = key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
            (here / "key.pem").write_bytes(private)
            (here / "bare.ko").write_bytes(bare)
            for options in (["-noattr"], [], ["-noattr", "-keyid"]):
                command = ["openssl", "cms", "-sign", "-binary", "-nocerts", "-outform", "DER", "-md", digest, *options]
                command += ["-signer", here / "cert.pem", "-inkey", here / "key.pem", "-in", here / "bare.ko"]
                message = subprocess.run(command, check=True, capture_output=True).stdout
                check(here, append(bare, message), cert, algorithm, "classical", not options)
                count += 1
    print(f"{count} signatures by asn1crypto, pyca/cryptography and OpenSSL are told as they are, and verify")


PROGRAM = sys.argv[1]
main(*sys.argv[1:])
