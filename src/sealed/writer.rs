//! Sealing a model: bodies first, each at its place, the front last, when every root is known.

use std::io::{Seek, SeekFrom, Write};

use sha3::{Digest, Sha3_256};
use zeroize::Zeroizing;

use super::{
    ciphertext::PIECE_CHUNKS,
    cobblestone::COMMITMENT_BYTES,
    coins::Coins,
    file_key::{self, FileKey},
    front::{self, Layout},
    manifest::{MAX_MANIFEST_BYTES, Manifest, SealedTensor},
    open::ChunkKey,
    plain::PlainModel,
    recipients::{Recipient, RecipientKey, Recipients},
    tree::{self, NODE_BYTES, Node},
};
use crate::{
    Result,
    channel::chunk::{ChunkRange, SEALED_CHUNK_BYTES},
    error::SealedFailure,
    identity::Identity,
    parallel,
};

/// A sealing: one model, one publisher, fresh keys. It writes one file and is gone, so no salt is used twice.
pub struct Sealing<'a> {
    model: &'a PlainModel<'a>,
    publisher: &'a Identity,
    recipients: Vec<RecipientKey>,
    coins: Coins,
    file_key: FileKey,
    body_key: Zeroizing<[u8; 32]>,
    /// Complete but for commitments and roots, which change nothing in its length.
    manifest: Manifest,
    bodies_start: u64,
}

impl<'a> Sealing<'a> {
    /// Draws keys, model id and salts, and checks everything that can be checked before a byte is written.
    ///
    /// `release` is the publisher's count of releases. Fails with [`SealedFailure::Model`] where the model cannot be sealed
    /// (two tensors of one name, more than the manifest's limits) and [`SealedFailure::Malformed`] for no recipient, one given
    /// twice, or more than fit.
    pub fn new(
        model: &'a PlainModel<'a>,
        publisher: &'a Identity,
        recipients: &[RecipientKey],
        release: u64,
    ) -> Result<Self> {
        Self::from_coins(model, publisher, recipients, release, Coins::default())
    }

    pub(super) fn from_coins(
        model: &'a PlainModel<'a>,
        publisher: &'a Identity,
        recipients: &[RecipientKey],
        release: u64,
        coins: Coins,
    ) -> Result<Self> {
        let file_key = FileKey::new(&coins.file_key()?);
        let mut tensors = Vec::with_capacity(model.tensors.len());
        for (index, (metadata, _)) in model.tensors.iter().enumerate() {
            tensors.push(SealedTensor {
                metadata: metadata.clone(),
                offset: 0,
                salt: coins.salt(index)?,
                commitment: [0; COMMITMENT_BYTES],
                root: [0; NODE_BYTES],
            });
        }
        let mut manifest = Manifest {
            model_id: coins.model_id()?,
            release,
            publisher: publisher.public_key().key_id(),
            metadata: model.metadata.clone(),
            tensors,
            files: model.files.clone(),
            index: model.index.clone(),
        };
        manifest.place();
        let cannot = |why: &dyn core::fmt::Display| SealedFailure::Model(why.to_string());
        manifest.check().map_err(|failure| match failure {
            SealedFailure::Malformed(why) => cannot(&why),
            other => other,
        })?;
        let layout =
            Layout { manifest: manifest.encode().len(), recipients: Recipients::encoded_bytes(recipients.len()) };
        if layout.manifest > MAX_MANIFEST_BYTES {
            return Err(cannot(&"names, headers and index are more than a manifest of 67,108,864 bytes holds").into());
        }
        // Refuses doubles, none, and too many before anything is wrapped.
        Recipients::check_keys(recipients)?;
        let body_key = file_key.body_key();
        let (bodies_start, recipients) = (layout.bodies_start(), recipients.to_vec());
        Ok(Sealing { model, publisher, recipients, coins, file_key, body_key, manifest, bodies_start })
    }

    /// The length of the file that [`Sealing::write`] writes.
    pub fn file_bytes(&self) -> u64 {
        self.bodies_start + self.manifest.bodies_bytes()
    }

    /// Writes the file to `out`, from its byte 0 on: an empty file, which is no sealed file before this has returned.
    ///
    /// Each byte of a tensor is read once; memory is some 8 MiB, whatever the model's size. `progress` hears how many bytes
    /// of tensors were sealed since it was last called. Fails with [`SealedFailure::Write`].
    pub fn write(mut self, out: &mut (impl Write + Seek), mut progress: impl FnMut(u64)) -> Result<()> {
        out.seek(SeekFrom::Start(self.bodies_start)).map_err(write_failed)?;
        let mut buffer = Vec::new();
        for index in 0..self.manifest.tensors.len() {
            self.seal_body(index, &mut buffer, out, &mut progress)?;
        }
        let front = self.front()?;
        out.seek(SeekFrom::Start(0)).map_err(write_failed)?;
        out.write_all(&front).and_then(|()| out.flush()).map_err(write_failed)?;
        Ok(())
    }

    /// Seals one tensor, takes its leaves in the same pass, and writes it with the zeros after it.
    fn seal_body(
        &mut self,
        index: usize,
        buffer: &mut Vec<u8>,
        out: &mut impl Write,
        progress: &mut impl FnMut(u64),
    ) -> Result<()> {
        let (metadata, plaintext) = &self.model.tensors[index];
        let salt = self.manifest.tensors[index].salt;
        let derived = file_key::derive_body(&self.body_key, &self.manifest, index as u32, metadata, &salt);
        let key = ChunkKey::new(&derived);
        let mut rest = ChunkRange::whole(metadata.size_bytes());
        let mut leaves: Vec<Node> = Vec::with_capacity(rest.count as usize);
        while !rest.is_empty() {
            let piece = rest.take(PIECE_CHUNKS);
            let (plain, sealed) = (piece.plaintext(), piece.sealed());
            buffer.resize((sealed.end - sealed.start) as usize, 0);
            key.body().seal(&piece, &plaintext[plain.start as usize..plain.end as usize], buffer);
            leaves.extend(parallel::map(buffer, SEALED_CHUNK_BYTES as usize, tree::leaf));
            out.write_all(buffer).map_err(write_failed)?;
            progress(plain.end - plain.start);
        }
        let zeros = self.manifest.padding_after(index as u32);
        buffer.clear();
        buffer.resize((zeros.end - zeros.start) as usize, 0);
        out.write_all(buffer).map_err(write_failed)?;
        let entry = &mut self.manifest.tensors[index];
        entry.commitment = *derived.commitment;
        entry.root = tree::root(leaves);
        Ok(())
    }

    fn front(&self) -> Result<Vec<u8>> {
        let manifest = self.manifest.encode();
        let digest = Sha3_256::digest(&manifest).into();
        let wrap = |(i, key)| Recipient::wrap(key, &self.file_key, &digest, self.coins.encapsulation(i)?);
        let recipients = self.recipients.iter().enumerate().map(wrap).collect::<Result<_>>()?;
        let recipients = Recipients::new(recipients)?;
        let signature = self.coins.hedge.sign(self.publisher, &front::signed(&digest))?;
        Ok(front::write(&manifest, &digest, self.publisher.public_key(), &signature, &recipients, &self.file_key))
    }
}

pub(super) fn write_failed(error: std::io::Error) -> SealedFailure {
    SealedFailure::Write(error.to_string())
}
