//! Reading a manifest that anybody may have written.

use std::collections::BTreeMap;

use minicbor::Decoder;

use super::{MAX_FILES, MAX_MANIFEST_BYTES, MAX_TENSORS, Manifest, ModelFile, SealedTensor, VERSION};
use crate::{
    error::SealedFailure,
    identity::KeyId,
    sealed::{
        cobblestone::{HEADER_BYTES, SALT_BYTES},
        tree::NODE_BYTES,
    },
    tensor::TensorMetadata,
};

const FORM: SealedFailure = SealedFailure::Malformed("the manifest does not have the form of docs/sealed-format.md");

impl Manifest {
    /// Reads the one encoding, and nothing but it: what decodes must encode to the same bytes.
    ///
    /// Work and memory are linear in the length. Fails with [`SealedFailure`].
    pub fn decode(bytes: &[u8]) -> Result<Self, SealedFailure> {
        if bytes.is_empty() || bytes.len() > MAX_MANIFEST_BYTES {
            return Err(SealedFailure::Malformed("the manifest's length is not from 1 to 67,108,864"));
        }
        let mut input = Decoder::new(bytes);
        let manifest = read(&mut input)?;
        manifest.check()?;
        if input.position() != bytes.len() || manifest.encode() != bytes {
            return Err(SealedFailure::Malformed("the manifest is not in canonical form"));
        }
        Ok(manifest)
    }
}

fn read(input: &mut Decoder<'_>) -> Result<Manifest, SealedFailure> {
    expect(input.map().map_err(form)? == Some(8))?;
    key(input, 1)?;
    expect(input.u64().map_err(form)? == u64::from(VERSION))?;
    key(input, 2)?;
    let model_id = fixed(input)?;
    key(input, 3)?;
    let release = input.u64().map_err(form)?;
    key(input, 4)?;
    let publisher = KeyId::from_bytes(fixed(input)?);
    key(input, 5)?;
    // Nothing is reserved for counts: each entry takes bytes of the input, which is bounded.
    let mut metadata = BTreeMap::new();
    for _ in 0..input.map().map_err(form)?.ok_or(FORM)? {
        let name = input.str().map_err(form)?;
        metadata.insert(name.to_owned(), input.str().map_err(form)?.to_owned());
    }
    key(input, 6)?;
    let tensors = (0..count(input, MAX_TENSORS)?).map(|index| tensor(input, index)).collect::<Result<_, _>>()?;
    key(input, 7)?;
    let files = (0..count(input, MAX_FILES)?).map(|_| file(input)).collect::<Result<_, _>>()?;
    key(input, 8)?;
    let index = input.bytes().map_err(form)?.to_vec();
    Ok(Manifest { model_id, release, publisher, metadata, tensors, files, index })
}

fn tensor(input: &mut Decoder<'_>, index: u64) -> Result<SealedTensor, SealedFailure> {
    expect(input.array().map_err(form)? == Some(6) && input.u64().map_err(form)? == index)?;
    let metadata = TensorMetadata::decode_next(input)
        .map_err(|_| SealedFailure::Malformed("a tensor's metadata is not that of a tensor (docs/protocol.md)"))?;
    let offset = input.u64().map_err(form)?;
    let length = input.u64().map_err(form)?;
    let header: [u8; HEADER_BYTES] = fixed(input)?;
    let root: [u8; NODE_BYTES] = fixed(input)?;
    let (mut salt, mut commitment) = ([0; SALT_BYTES], [0; HEADER_BYTES - SALT_BYTES]);
    salt.copy_from_slice(&header[..SALT_BYTES]);
    commitment.copy_from_slice(&header[SALT_BYTES..]);
    let tensor = SealedTensor { metadata, offset, salt, commitment, root };
    if length != tensor.sealed_bytes() {
        return Err(SealedFailure::Malformed("a body's length is not the one that follows from its tensor"));
    }
    // Offsets are compared in `check`; sums there start from this one.
    if offset > u64::MAX / 2 {
        return Err(SealedFailure::Malformed("a body's offset is not the one that follows from the bodies before it"));
    }
    Ok(tensor)
}

fn file(input: &mut Decoder<'_>) -> Result<ModelFile, SealedFailure> {
    expect(input.array().map_err(form)? == Some(3))?;
    let name = input.str().map_err(form)?.to_owned();
    let header = input.bytes().map_err(form)?.to_vec();
    Ok(ModelFile { name, header, tensors: input.u32().map_err(form)? })
}

fn key(input: &mut Decoder<'_>, key: u8) -> Result<(), SealedFailure> {
    expect(input.u8().map_err(form)? == key)
}

fn fixed<const N: usize>(input: &mut Decoder<'_>) -> Result<[u8; N], SealedFailure> {
    input.bytes().map_err(form)?.try_into().map_err(|_| FORM)
}

fn count(input: &mut Decoder<'_>, limit: usize) -> Result<u64, SealedFailure> {
    let count = input.array().map_err(form)?.ok_or(FORM)?;
    if count > limit as u64 {
        return Err(SealedFailure::Malformed("more than 1,048,576 tensors or 65,536 files"));
    }
    Ok(count)
}

fn expect(holds: bool) -> Result<(), SealedFailure> {
    if holds { Ok(()) } else { Err(FORM) }
}

fn form(_: minicbor::decode::Error) -> SealedFailure {
    FORM
}
