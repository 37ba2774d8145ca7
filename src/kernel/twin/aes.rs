//! AES-256 encryption (FIPS 197). GCM never runs the inverse cipher, so there is none here.

/// The rounds of AES-256, Nr (FIPS 197, Section 5, Table 3).
const ROUNDS: usize = 14;

/// The words of an AES-256 key, Nk (FIPS 197, Section 5, Table 3).
const KEY_WORDS: usize = 8;

/// The words of the key schedule, 4 * (Nr + 1).
const SCHEDULE_WORDS: usize = 4 * (ROUNDS + 1);

/// `SBOX()` as a table (FIPS 197, Section 5.1.1), computed from its definition.
const S_BOX: [u8; 256] = s_box();

/// The round keys of AES-256 in the order of use, each as the 16 bytes added to the state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoundKeys(pub [[u8; 16]; ROUNDS + 1]);

/// `KEYEXPANSION()` (FIPS 197, Section 5.2, Algorithm 2).
#[must_use]
pub fn expand_key(key: &[u8; 32]) -> RoundKeys {
    let mut words = [[0_u8; 4]; SCHEDULE_WORDS];
    for (i, byte) in key.iter().enumerate() {
        words[i / 4][i % 4] = *byte;
    }
    let mut round_constant = 1;
    for i in KEY_WORDS..SCHEDULE_WORDS {
        let mut word = words[i - 1];
        if i % KEY_WORDS == 0 {
            word.rotate_left(1);
            word = sub_word(word);
            word[0] ^= round_constant;
            round_constant = x_times(round_constant);
        } else if i % KEY_WORDS == 4 {
            // Only keys of more than 6 words have this step.
            word = sub_word(word);
        }
        words[i] = std::array::from_fn(|k| words[i - KEY_WORDS][k] ^ word[k]);
    }
    RoundKeys(std::array::from_fn(|round| std::array::from_fn(|i| words[4 * round + i / 4][i % 4])))
}

/// `CIPHER()` (FIPS 197, Section 5.1, Algorithm 1).
///
/// The state is kept as the flat array of its input: the byte of row r and column c is at r + 4c
/// (Section 3.4).
#[must_use]
pub fn encrypt_block(keys: &RoundKeys, block: &[u8; 16]) -> [u8; 16] {
    let mut state = add_round_key(block, &keys.0[0]);
    for round_key in &keys.0[1..ROUNDS] {
        state = mix_columns(&shift_rows(&sub_bytes(&state)));
        state = add_round_key(&state, round_key);
    }
    // The last round has no MIXCOLUMNS().
    state = shift_rows(&sub_bytes(&state));
    add_round_key(&state, &keys.0[ROUNDS])
}

/// `SUBBYTES()` (FIPS 197, Section 5.1.1).
fn sub_bytes(state: &[u8; 16]) -> [u8; 16] {
    state.map(|byte| S_BOX[usize::from(byte)])
}

/// `SHIFTROWS()` (FIPS 197, Section 5.1.2): row r moves to the left by r columns.
fn shift_rows(state: &[u8; 16]) -> [u8; 16] {
    std::array::from_fn(|i| {
        let (row, column) = (i % 4, i / 4);
        state[row + 4 * ((column + row) % 4)]
    })
}

/// `MIXCOLUMNS()` (FIPS 197, Section 5.1.3): each column times the circulant matrix of the word
/// {02}, {01}, {01}, {03}.
fn mix_columns(state: &[u8; 16]) -> [u8; 16] {
    std::array::from_fn(|i| {
        let (row, column) = (i % 4, i / 4);
        let byte = |below: usize| state[(row + below) % 4 + 4 * column];
        gf_multiply(2, byte(0)) ^ gf_multiply(3, byte(1)) ^ byte(2) ^ byte(3)
    })
}

/// `ADDROUNDKEY()` (FIPS 197, Section 5.1.4).
fn add_round_key(state: &[u8; 16], round_key: &[u8; 16]) -> [u8; 16] {
    std::array::from_fn(|i| state[i] ^ round_key[i])
}

/// `SUBWORD()` (FIPS 197, Section 5.2).
fn sub_word(word: [u8; 4]) -> [u8; 4] {
    word.map(|byte| S_BOX[usize::from(byte)])
}

/// The S-box: the inverse in GF(2^8), then the affine transformation (FIPS 197, Section 5.1.1).
const fn s_box() -> [u8; 256] {
    let mut table = [0; 256];
    let mut byte = 0_u8;
    loop {
        let b = gf_inverse(byte);
        // Bit i of a rotation to the right by n is bit (i + n) mod 8 of b.
        table[byte as usize] =
            b ^ b.rotate_right(4) ^ b.rotate_right(5) ^ b.rotate_right(6) ^ b.rotate_right(7) ^ 0b0110_0011;
        if byte == u8::MAX {
            return table;
        }
        byte += 1;
    }
}

/// The inverse in GF(2^8) as b^254 (FIPS 197, Section 4.4); it takes 0 to 0, as the S-box asks.
const fn gf_inverse(b: u8) -> u8 {
    let mut inverse = 1;
    let mut power = b;
    let mut doublings = 1;
    // 254 = 2 + 4 + ... + 128
    while doublings < 8 {
        power = gf_multiply(power, power);
        inverse = gf_multiply(inverse, power);
        doublings += 1;
    }
    inverse
}

/// The product in GF(2^8) (FIPS 197, Section 4.2), as a sum of the `XTIMES()` of `b`.
const fn gf_multiply(a: u8, b: u8) -> u8 {
    let mut product = 0;
    let mut term = b;
    let mut bit = 0;
    while bit < 8 {
        if (a >> bit) & 1 == 1 {
            product ^= term;
        }
        term = x_times(term);
        bit += 1;
    }
    product
}

/// `XTIMES()` (FIPS 197, Section 4.2): times x modulo x^8 + x^4 + x^3 + x + 1.
const fn x_times(b: u8) -> u8 {
    let reduction = if b & 0x80 == 0 { 0 } else { 0x1b };
    (b << 1) ^ reduction
}

#[cfg(test)]
mod tests {
    use super::super::from_hex;
    use super::*;

    #[test]
    fn s_box_has_the_entries_of_table_4() {
        assert_eq!(S_BOX[..4], [0x63, 0x7c, 0x77, 0x7b]);
        assert_eq!(S_BOX[0x53], 0xed);
        assert_eq!(S_BOX[252..], [0xb0, 0x54, 0xbb, 0x16]);
    }

    #[test]
    fn field_products_are_those_of_section_4_2() {
        assert_eq!(gf_multiply(0x57, 0x83), 0xc1);
        assert_eq!(gf_multiply(0x57, 0x13), 0xfe);
        assert!((1..=255).all(|b| gf_multiply(b, gf_inverse(b)) == 1));
    }

    #[test]
    fn key_schedule_of_appendix_a_3() {
        let keys = expand_key(&from_hex("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4"));
        assert_eq!(keys.0[0], from_hex("603deb1015ca71be2b73aef0857d7781"));
        assert_eq!(keys.0[1], from_hex("1f352c073b6108d72d9810a30914dff4"));
        assert_eq!(keys.0[2], from_hex("9ba354118e6925afa51a8b5f2067fcde"));
        assert_eq!(keys.0[3], from_hex("a8b09c1a93d194cdbe49846eb75d5b9a"));
        assert_eq!(keys.0[14], from_hex("fe4890d1e6188d0b046df344706c631e"));
    }

    /// Appendix C.3 of FIPS 197 as published in 2001; the update of 2023 only points to it.
    #[test]
    fn cipher_of_appendix_c_3() {
        let keys = expand_key(&from_hex("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"));
        let plaintext = from_hex("00112233445566778899aabbccddeeff");
        let ciphertext = from_hex("8ea2b7ca516745bfeafc49904b496089");
        assert_eq!(encrypt_block(&keys, &plaintext), ciphertext);
    }
}
