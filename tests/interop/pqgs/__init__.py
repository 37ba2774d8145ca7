"""Sealed model files of docs/sealed-format.md: written, opened, verified and rewrapped, from that document alone, on
pyca/cryptography (>= 50). Keys, element types and tensor metadata are those of docs/protocol.md, and so of pqgt.

It exists to test the document and the program against each other. It is not constant-time, erases nothing, keeps whole
tensors in memory, and is no part of the product: do not protect anything with it.
"""
