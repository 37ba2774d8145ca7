"""Leaks planted in the kernels' own texts, each to be found in PTX and in machine code; and what looks like one and is none."""

from typing import NamedTuple


class Plant(NamedTuple):
    what: str
    kernel: str
    before: str
    after: str
    # What has to be found; nothing at all where it is empty.
    kinds: frozenset


def plant(what: str, kernel: str, before: str, after: str, *kinds: str) -> Plant:
    return Plant(what, kernel, before, after, frozenset(kinds))


COMPARED = "return declassify((difference.w[0] | difference.w[1] | difference.w[2] | difference.w[3]) == 0);"
FACTOR = "const u32 mask = 0u - (x.w[0] >> 31);"
ROUND_KEY = "words[i] = words[i - 8] ^ word;"

PLANTS = [
    plant("a table looked up by a byte of the key", "expand_key", ROUND_KEY, "words[i] = words[i - 8] ^ words[word & 7];", "address"),
    plant("a comparison that stops at the first byte that differs", "verify", COMPARED,
          "ROLLED for (u32 i = 0; i < 16; i++) { if (stored[i] != (u8)(tag.w[i / 4] >> (8 * (i % 4)))) { return 0; } } return 1;", "branch"),
    plant("a branch on H's bits", "expand_key", FACTOR,
          FACTOR + " if (x.w[0] >> 31) { ROLLED for (u32 k = 0; k < (y.w[0] & 7); k++) { z.w[k & 3] ^= y.w[(k * 3) & 3]; } }",
          "branch"),
    plant("a loop as long as a hash says", "tag", "Block hash = {{0, 0, 0, 0}};",
          "Block hash = {{0, 0, 0, 0}}; ROLLED for (u32 k = 0; k < (parts[0].w[0] & 15); k++) { hash.w[0] = hash.w[0] * 3 + k; }", "branch"),
    plant("a store that depends on the keystream", "open", "out[ahead] = data[j] ^ key;", "if (key.w[0] & 1) { out[ahead] = data[j] ^ key; }"),
    plant("a hash where anyone may read it", "verify", "add_atomically(verdicts + 2 * (u64)p.verdict, holds",
          "verdicts[2 * (u64)p.verdict] = sums[thread].w[0]; add_atomically(verdicts + 2 * (u64)p.verdict, holds", "stored"),
    plant("a whole word declassified", "finalize", "declassify(h != 0) == 1", "declassify(h) == 1", "declassified"),
    plant("a bit declassified where none is to be", "expand_key", ROUND_KEY, ROUND_KEY + " constant += declassify((word & 1) == 0);", "count"),
    plant("a division by an element", "dequantize_channels", "output[word] = scaled(n, scales[channel]);",
          "output[word] = scales[channel] / ((u32)n | 1);", "varying"),
    plant("floating-point arithmetic on a key", "expand_key", ROUND_KEY, "words[i] = words[i - 8] ^ float_bits((float)word);", "varying"),
    plant("an address kept in local memory", "dequantize_blocks", "output[word] = scaled(",
          "u32 kept[16]; ROLLED for (u32 i = 0; i < 16; i++) { kept[(i * p.blocks) & 15] = start[i]; } q += start[kept[p.blocks & 15] & 1]; output[word] = scaled(",
          "address"),
    plant("a stamp that is a secret", "expand_key", "context[STAMP] = {{p.stamp[0],", "context[STAMP] = {{h.w[0],", "stored"),
    plant("a choice, which is none", "expand_key", "z.w[k] ^= y.w[k] & mask;", "z.w[k] = mask != 0 ? z.w[k] ^ y.w[k] : z.w[k];"),
]
# Found as either. Compilers make a branch of a store under a secret, or a predicate; and where every thread has the same bit, they may count it
# by an instruction that nobody may declassify with.
EITHER = {
    "a store that depends on the keystream": {"branch", "address"},
    "a bit declassified where none is to be": {"count", "varying"},
}
