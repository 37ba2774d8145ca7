//! What the vectors start from: seeds, coins, labels, policies, tensors.

/// A case's inputs.
pub struct Inputs {
    pub name: &'static str,
    pub host: End,
    pub device: End,
    /// d ‖ z of the host's single-use ML-KEM-768 key.
    pub kem_seed: [u8; 64],
    /// m of the device's encapsulation.
    pub encapsulation: [u8; 32],
    pub ttl_seconds: u32,
    pub log2_chunks: u8,
    /// Whether M1 names the device's key-id.
    pub expects_device: bool,
    pub attestation: Vec<u8>,
}

/// One end's inputs.
pub struct End {
    pub seed: [u8; 32],
    pub random: [u8; 32],
    pub signing_rnd: [u8; 32],
    pub label: String,
}

/// A record to send.
pub enum Item {
    Tensor { id: String, name: String, dtype: &'static str, shape: Vec<u64>, bytes: usize },
    KeyUpdate,
    Close,
}

/// What each end sends, the device after READY: the edges of chunks, every length of a CBOR head, three epochs.
pub fn items() -> Vec<Item> {
    let tensor = |id: &str, name: &str, dtype, shape: &[u64], bytes| Item::Tensor {
        id: id.into(),
        name: name.into(),
        dtype,
        shape: shape.into(),
        bytes,
    };
    // 2^53 - 1 is the largest integer that every reader of JSON keeps.
    let extents = [0, 23, 24, 255, 256, 65_535, 65_536, 4_294_967_295, 4_294_967_296, 9_007_199_254_740_991];
    vec![
        tensor("1", "zero extents", "F32", &extents, 0),
        tensor("", "", "U8", &[], 1),
        tensor("3", "one byte short of a chunk", "U8", &[129, 127], 16_383),
        tensor("4", "a whole chunk and an empty one", "I64", &[2048], 16_384),
        tensor("5", "a chunk and a byte", "BOOL", &[5, 29, 113], 16_385),
        tensor("6", "three chunks", "F16", &[100, 200], 40_000),
        Item::KeyUpdate,
        tensor("step", "scalar", "I64", &[], 8),
        tensor("gewichte.0", "Gewichte für Größe · 重み · 🜁", "BF16", &[3, 1, 100], 600),
        Item::KeyUpdate,
        tensor("mx", "four elements of six bits", "F6_E3M2", &[1, 4], 3),
        tensor("long", &"0123456789".repeat(30), "F4", &[2, 8], 8),
        Item::Close,
    ]
}

/// Byte i of every plaintext is (7 i + 13) mod 251.
pub fn plaintext(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|i| ((7 * i + 13) % 251) as u8).collect()
}

pub fn all() -> Vec<Inputs> {
    let case = |name: &'static str| {
        // Bytes without pattern, the same in every run; the file holds them, so that nobody has to compute this.
        let bytes = |what: &str, length: usize| {
            let mut out = vec![0; length];
            let hkdf = hkdf::Hkdf::<sha2::Sha512>::new(Some(b"pqgt channel vectors"), name.as_bytes());
            hkdf.expand(what.as_bytes(), &mut out).unwrap();
            out
        };
        let array = |what: &str| -> [u8; 32] { bytes(what, 32).try_into().unwrap() };
        let end = |who: &str| End {
            seed: array(&format!("{who} identity")),
            random: array(&format!("{who} random")),
            signing_rnd: array(&format!("{who} rnd")),
            label: who.into(),
        };
        Inputs {
            name,
            host: end("host"),
            device: end("device"),
            kem_seed: bytes("d z", 64).try_into().unwrap(),
            encapsulation: array("m"),
            ttl_seconds: 3600,
            log2_chunks: 24,
            expects_device: true,
            attestation: Vec::new(),
        }
    };
    let labelled = |end: End, label: &str| End { label: label.into(), ..end };

    let plain = case("any device, empty labels");
    let plain = Inputs {
        host: labelled(plain.host, ""),
        device: labelled(plain.device, ""),
        ttl_seconds: 1,
        log2_chunks: 23,
        expects_device: false,
        ..plain
    };
    let expecting = case("one device expected");
    let attested = case("attestation, labels beyond ASCII");
    let attested = Inputs {
        host: labelled(attested.host, "Gästgeber"),
        device: labelled(attested.device, "装置 🖥"),
        log2_chunks: 23,
        attestation: plaintext(300),
        ..attested
    };
    let longest = case("longest labels, longest lifetime");
    let longest = Inputs {
        host: labelled(longest.host, &"h".repeat(255)),
        device: labelled(longest.device, &("d".to_owned() + &"é".repeat(127))),
        ttl_seconds: u32::MAX,
        expects_device: false,
        attestation: vec![0],
        ..longest
    };
    vec![plain, expecting, attested, longest]
}
