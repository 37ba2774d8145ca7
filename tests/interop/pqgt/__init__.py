"""The channel of docs/protocol.md, both ends, written from that document alone on pyca/cryptography (>= 50).

It exists to test the document and the program against each other. It is not constant-time, erases nothing, keeps whole
records in memory, and is no part of the product: do not protect anything with it.
"""
