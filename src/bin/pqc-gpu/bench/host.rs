//! The host's part: sealing beside memcpy and the raw AEAD, and the handshake.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use pqc_gpu_driver::{
    DType, Error, TensorMetadata,
    channel::chunk::{CHUNK_BYTES, SEALED_CHUNK_BYTES, sealed_bytes},
    establish_channel,
};

use super::{
    clock::{median, medians},
    filled,
    report::{Row, Section},
};
use crate::failure::Failure;

/// Sealing beside memcpy and the raw AEAD, over the same buffers.
pub(super) fn sealing(bytes: u64) -> Result<Vec<Row>, Failure> {
    let plaintext = filled(bytes);
    let mut sealed = vec![0; sealed_bytes(bytes) as usize];
    let metadata = TensorMetadata::new("bench", "bench", DType::U8, [bytes])?;
    let (host, _device) = establish_channel("host", "device")?;
    let key = UnboundKey::new(&AES_256_GCM, &[7; 32]).map_err(|_| Failure::other("the raw AEAD took no key"))?;
    let key = LessSafeKey::new(key);
    let one_core = rayon::ThreadPoolBuilder::new().num_threads(1).build();
    let one_core = one_core.map_err(|error| Failure::other(error.to_string()))?;
    let seal = |sealed: &mut [u8]| {
        let mut sealing = host.seal(&metadata)?;
        let piece = sealing.next_piece(u32::MAX).ok_or(Error::Usage("no piece"))?;
        piece.seal(&plaintext, sealed)?;
        sealing.finish()
    };
    // In turns, so that whatever else the machine does falls on all of them alike; on one thread of a pool of one, so
    // that no core has to be woken in between.
    let [copy, raw, one] = one_core.install(|| {
        medians(|what| match what {
            0 => {
                sealed[..plaintext.len()].copy_from_slice(&plaintext);
                std::hint::black_box(&mut sealed);
                Ok(())
            }
            1 => raw_chunks(&key, &plaintext, &mut sealed),
            _ => seal(&mut sealed),
        })
    })?;
    let [all] = medians(|_| seal(&mut sealed))?;
    let rate = |what, measured, beside| Row::rate(Section::Host, what, bytes, measured, beside);
    Ok(vec![
        rate("memcpy", copy, None).reference(),
        rate("raw aws-lc-rs, one core", raw, Some(("memcpy", copy))).reference(),
        rate("host seal, one core", one, Some(("raw aws-lc-rs, one core", raw))),
        rate("host seal, all cores", all, Some(("host seal, one core", one))),
    ])
}

/// Both ends of a handshake.
pub(super) fn handshake() -> Result<Row, Failure> {
    let measured = median(|| establish_channel("host", "device").map(drop))?;
    Ok(Row::time("handshake, both ends, fresh identities", 0, measured))
}

fn raw_chunks(key: &LessSafeKey, plaintext: &[u8], sealed: &mut [u8]) -> Result<(), Error> {
    let mut nonce = [0; 12];
    let chunks = plaintext.chunks(CHUNK_BYTES as usize).zip(sealed.chunks_mut(SEALED_CHUNK_BYTES as usize));
    for (number, (plain, out)) in (0u32..).zip(chunks) {
        nonce[8..].copy_from_slice(&number.to_be_bytes());
        let (ciphertext, tag) = out.split_at_mut(plain.len());
        let nonce = Nonce::assume_unique_for_key(nonce);
        key.seal_out_of_place_scatter(nonce, Aad::from([0; 32]), plain, ciphertext, &[], &mut tag[..16])
            .map_err(|_| Error::Usage("the raw AEAD refused its lengths"))?;
    }
    Ok(())
}
