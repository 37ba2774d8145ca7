//! GHASH (NIST SP 800-38D, Sections 6.3 and 6.4).
//!
//! A block is held as the `u128` of its bytes in big-endian order, so bit 0 of the standard, the
//! coefficient of x^0, is the most significant bit.

/// The constant R of Section 6.3, `11100001 || 0^120`: x^128 reduced by the field's polynomial.
const R: u128 = 0xe1 << 120;

/// The product X * Y in GF(2^128), bit by bit (SP 800-38D, Section 6.3, Algorithm 1).
#[must_use]
pub fn multiply(x: u128, y: u128) -> u128 {
    let mut z = 0;
    let mut v = y;
    for i in 0..128 {
        if (x >> (127 - i)) & 1 == 1 {
            z ^= v;
        }
        let reduction = if v & 1 == 1 { R } else { 0 };
        v = (v >> 1) ^ reduction;
    }
    z
}

/// The powers H^1, H^2, ..., H^n of the hash subkey, in this order.
#[must_use]
pub fn powers(h: u128, n: usize) -> Vec<u128> {
    std::iter::successors(Some(h), |power| Some(multiply(*power, h))).take(n).collect()
}

/// The string that GCM hashes, cut in blocks: the aad and the ciphertext, each padded with zeros
/// to whole blocks, then the block of their lengths in bits (SP 800-38D, Section 7.1, Algorithm 4,
/// steps 4 and 5).
#[must_use]
pub fn padded_blocks(aad: &[u8], ciphertext: &[u8]) -> Vec<u128> {
    let bits = |bytes: &[u8]| bytes.len() as u128 * 8;
    let lengths = (bits(aad) << 64) | bits(ciphertext);
    let blocks = aad.chunks(16).chain(ciphertext.chunks(16));
    blocks.map(padded_block).chain([lengths]).collect()
}

/// GHASH of whole blocks under the hash subkey `h` (SP 800-38D, Section 6.4, Algorithm 2).
#[must_use]
pub fn ghash(h: u128, blocks: &[u128]) -> u128 {
    blocks.iter().fold(0, |y, block| multiply(y ^ block, h))
}

/// The same as [`ghash()`], as the sum `X_1 * H^n` XOR `X_2 * H^(n-1)` XOR ... XOR `X_n * H`.
///
/// The products do not depend on each other, which is why GPU kernels work this way. The
/// standard states the identity below Algorithm 2.
#[must_use]
pub fn ghash_by_powers(h: u128, blocks: &[u128]) -> u128 {
    let powers = powers(h, blocks.len());
    let terms = blocks.iter().zip(powers.iter().rev());
    terms.fold(0, |sum, (block, power)| sum ^ multiply(*block, *power))
}

/// Up to 16 bytes as a block, padded with zeros at the end.
fn padded_block(bytes: &[u8]) -> u128 {
    let mut block = [0; 16];
    for (to, from) in block.iter_mut().zip(bytes) {
        *to = *from;
    }
    u128::from_be_bytes(block)
}

#[cfg(test)]
mod tests {
    use super::super::from_hex;
    use super::*;

    /// x^0, the one of the field.
    const ONE: u128 = 1 << 127;

    /// H of the test cases 15 and 16 of the GCM specification (Appendix B).
    const H: u128 = 0xacbe_f205_79b4_b8eb_ce88_9bac_8732_dad7;

    const CIPHERTEXT: &str = "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa\
                              8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad";

    #[test]
    fn multiply_is_the_product_of_a_field() {
        let (a, b, c) = (H, R, 0x0123_4567_89ab_cdef_0011_2233_4455_6677);
        assert_eq!(multiply(a, ONE), a);
        assert_eq!(multiply(a, 0), 0);
        assert_eq!(multiply(a, b), multiply(b, a));
        assert_eq!(multiply(multiply(a, b), c), multiply(a, multiply(b, c)));
        assert_eq!(multiply(a ^ b, c), multiply(a, c) ^ multiply(b, c));
        // x^127 * x is x^128, which R stands for.
        assert_eq!(multiply(1, ONE >> 1), R);
    }

    #[test]
    fn powers_start_at_the_first() {
        let h2 = multiply(H, H);
        assert_eq!(powers(H, 0), []);
        assert_eq!(powers(H, 3), [H, h2, multiply(h2, H)]);
    }

    #[test]
    fn ghash_of_the_gcm_specification() {
        let ciphertext: [u8; 64] = from_hex(CIPHERTEXT);
        let aad: [u8; 20] = from_hex("feedfacedeadbeeffeedfacedeadbeefabaddad2");

        let case_15 = padded_blocks(&[], &ciphertext);
        assert_eq!(case_15.len(), 5);
        assert_eq!(ghash(H, &case_15), 0x4db8_70d3_7cb7_5fcb_4609_7c36_230d_1612);

        let case_16 = padded_blocks(&aad, &ciphertext[..60]);
        assert_eq!(case_16.len(), 7);
        assert_eq!(ghash(H, &case_16), 0x8bd0_c4d8_aacd_391e_67cc_a447_e8c3_8f65);
    }

    #[test]
    fn ghash_by_powers_is_ghash() {
        let bytes: [u8; 64] = from_hex(CIPHERTEXT);
        for aad_bytes in [0, 1, 16, 20] {
            for ciphertext_bytes in [0, 1, 15, 16, 17, 64] {
                let blocks = padded_blocks(&bytes[..aad_bytes], &bytes[..ciphertext_bytes]);
                assert_eq!(ghash_by_powers(H, &blocks), ghash(H, &blocks));
            }
        }
        assert_eq!(ghash_by_powers(H, &[]), 0);
    }
}
