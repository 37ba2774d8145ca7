//! The envelope: COSE_Sign1 (RFC 9052 section 4.2) with ML-DSA-65 (RFC 9964), in deterministic CBOR (RFC 8949
//! section 4.2.1). One statement has one encoding: what is decoded is encoded again and compared.

use minicbor::{Decoder, Encoder, data::Tag, decode, encode};

use super::{DriverModule, ModuleDigest, Validity};
use crate::{
    Result,
    error::AttestationFailure,
    identity::{KeyId, SIGNATURE_BYTES},
};

/// The longest attestation, as long as the handshake carries.
pub const MAX_ATTESTATION_BYTES: usize = 64 << 10;

/// COSE_Sign1's tag (RFC 9052 section 2, table 1).
const COSE_SIGN1: u64 = 18;
/// Header parameters (RFC 9052 section 3.1): algorithm and key identifier.
const ALG: u8 = 1;
const KID: u8 = 4;
/// ML-DSA-65 (RFC 9964, table 1).
const ML_DSA_65: i8 = -49;
/// Signed with every attestation and carried by none: a signature made for another purpose is not one of these.
const EXTERNAL_AAD: &[u8] = b"pqgt driver v1";

/// What is signed about a module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Statement {
    pub(super) module: DriverModule,
    pub(super) validity: Validity,
    pub(super) signing_time: u64,
}

/// An attestation taken apart.
pub(super) struct Parts {
    pub(super) signer: KeyId,
    pub(super) statement: Statement,
    pub(super) signature: [u8; SIGNATURE_BYTES],
}

impl Statement {
    /// The payload: {1: name, 2: version, 3: target, 4: SHA3-256, 5: size, 6: security version, 7: not before,
    /// 8: not after, 9: signing time}.
    pub(super) fn encode(&self) -> Vec<u8> {
        let digest = self.module.digest();
        written(|out| {
            out.map(9)?.u8(1)?.str(self.module.name())?.u8(2)?.str(self.module.version())?;
            out.u8(3)?.str(self.module.target())?.u8(4)?.bytes(&digest.sha3_256)?.u8(5)?.u64(digest.size)?;
            out.u8(6)?.u64(self.module.security_version())?.u8(7)?.u64(self.validity.not_before)?;
            out.u8(8)?.u64(self.validity.not_after)?.u8(9)?.u64(self.signing_time)?;
            Ok(())
        })
    }

    fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut input = Decoder::new(bytes);
        expect(input.map()? == Some(9), "the payload is not a map of nine entries")?;
        let mut key = 0;
        let mut next = |input: &mut Decoder<'_>| {
            key += 1;
            expect(input.u8()? == key, "the payload has an unknown key or misses one")
        };
        next(&mut input)?;
        let name = input.str()?;
        next(&mut input)?;
        let version = input.str()?;
        next(&mut input)?;
        let target = input.str()?;
        next(&mut input)?;
        let sha3_256 = input.bytes()?.try_into().map_err(|_| Malformed("the module's digest has not 32 bytes"))?;
        let mut number = || {
            next(&mut input)?;
            Ok::<_, Malformed>(input.u64()?)
        };
        let (size, security_version) = (number()?, number()?);
        let validity = Validity { not_before: number()?, not_after: number()? };
        let signing_time = number()?;
        let module = DriverModule::new(name, version, target, ModuleDigest { sha3_256, size }, security_version)
            .map_err(|_| Malformed("a text is empty, longer than 255 bytes or holds control characters"))?;
        expect(
            validity.is_possible(signing_time),
            "the times are not in order: signing time, then not-before, then not-after",
        )?;
        Ok(Statement { module, validity, signing_time })
    }

    /// Sig_structure (RFC 9052 section 4.4), the bytes that ML-DSA-65 signs with an empty context (RFC 9964).
    pub(super) fn signed_bytes(&self, signer: &KeyId) -> Vec<u8> {
        written(|out| {
            out.array(4)?.str("Signature1")?.bytes(&protected(signer))?.bytes(EXTERNAL_AAD)?.bytes(&self.encode())?;
            Ok(())
        })
    }
}

impl Parts {
    pub(super) fn encode(&self) -> Vec<u8> {
        written(|out| {
            out.tag(Tag::new(COSE_SIGN1))?.array(4)?.bytes(&protected(&self.signer))?.map(0)?;
            out.bytes(&self.statement.encode())?.bytes(&self.signature)?;
            Ok(())
        })
    }

    /// Reads the one encoding of an attestation. No signature is verified.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, AttestationFailure> {
        if bytes.len() > MAX_ATTESTATION_BYTES {
            return Err(AttestationFailure::Malformed("longer than 64 KiB"));
        }
        let parts = Self::decode_lenient(bytes).map_err(|Malformed(why)| AttestationFailure::Malformed(why))?;
        // Longer integers, indefinite lengths and bytes after the end all fail here.
        if parts.encode() != bytes {
            return Err(AttestationFailure::Malformed("not in deterministic encoding, or followed by other bytes"));
        }
        Ok(parts)
    }

    fn decode_lenient(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut input = Decoder::new(bytes);
        expect(input.tag()? == Tag::new(COSE_SIGN1), "not a COSE_Sign1 (CBOR tag 18)")?;
        expect(input.array()? == Some(4), "COSE_Sign1 is not an array of four")?;
        let signer = signer(input.bytes()?)?;
        expect(input.map()? == Some(0), "the unprotected header is not empty")?;
        let statement = Statement::decode(input.bytes()?)?;
        let signature =
            input.bytes()?.try_into().map_err(|_| Malformed("an ML-DSA-65 signature has 3309 bytes, this has not"))?;
        Ok(Parts { signer, statement, signature })
    }
}

/// The protected header: {1: -49 (ML-DSA-65), 4: the signer's key-id}.
fn protected(signer: &KeyId) -> Vec<u8> {
    written(|out| {
        out.map(2)?.u8(ALG)?.i8(ML_DSA_65)?.u8(KID)?.bytes(signer.as_bytes())?;
        Ok(())
    })
}

/// Reads the signer's key-id out of a protected header that says ML-DSA-65 and nothing else.
fn signer(header: &[u8]) -> Result<KeyId, Malformed> {
    let mut input = Decoder::new(header);
    const HEADER: &str = "the protected header is not {1: algorithm, 4: key-id}";
    expect(input.map()? == Some(2), HEADER)?;
    expect(input.u8()? == ALG, HEADER)?;
    expect(input.i64()? == i64::from(ML_DSA_65), "the algorithm is not ML-DSA-65 (-49)")?;
    expect(input.u8()? == KID, HEADER)?;
    let id = input.bytes()?.try_into().map_err(|_| Malformed("the key-id has not 32 bytes"))?;
    Ok(KeyId::from_bytes(id))
}

fn written(
    write: impl FnOnce(&mut Encoder<Vec<u8>>) -> Result<(), encode::Error<core::convert::Infallible>>,
) -> Vec<u8> {
    let mut out = Encoder::new(Vec::new());
    let written = write(&mut out);
    debug_assert!(written.is_ok(), "writing to a Vec cannot fail");
    out.into_writer()
}

struct Malformed(&'static str);

impl From<decode::Error> for Malformed {
    fn from(_: decode::Error) -> Self {
        Malformed("not the CBOR of a driver attestation (docs/attestation.md)")
    }
}

fn expect(holds: bool, otherwise: &'static str) -> Result<(), Malformed> {
    if holds { Ok(()) } else { Err(Malformed(otherwise)) }
}
