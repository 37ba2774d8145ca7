"""Takes the certificate that signed a kernel's own modules out of the kernel image, where the kernel keeps it.

Usage: kernel_certificate.py VMLINUZ MODULE.ko OUT.x509
"""

import lzma
import pathlib
import sys

XZ = b"\xfd7zXZ\0"


def serial(module):
    """The serial number in a module signature: the INTEGER in front of the SignerInfo's digest algorithm, SHA-256."""
    length = int.from_bytes(module[-32:-28], "big")
    message = module[-40 - length : -40]
    end = message.rindex(bytes.fromhex("300b0609608648016503040201"))
    start = next(at for at in range(end - 3, 0, -1) if message[at] == 2 and message[at + 1] == end - at - 2)
    return message[start:end]


def main(image, module, out):
    image, number = image.read_bytes(), serial(module.read_bytes())
    kernel = lzma.LZMADecompressor().decompress(image[image.index(XZ) :])
    # Certificate, TBSCertificate, [0] version 2, serial number: RFC 5280 section 4.1.
    at = kernel.index(b"\xa0\x03\x02\x01\x02" + number) - 8
    assert kernel[at : at + 2] == kernel[at + 4 : at + 6] == b"\x30\x82"
    out.write_bytes(kernel[at : at + 4 + int.from_bytes(kernel[at + 2 : at + 4], "big")])


main(*map(pathlib.Path, sys.argv[1:]))
