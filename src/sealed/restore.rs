//! Giving back the files that a model was, bit for bit.

use core::ops::Range;
use std::io::Write;

use zeroize::Zeroize;

use super::{body::Roots, model::SealedModel, source::Source, writer::write_failed};
use crate::{Error, Result};

impl<S: Source> SealedModel<S> {
    /// Writes the safetensors file with this number to `out`, as it was before it was sealed.
    ///
    /// **What is written is not verified before this has returned**: write to a file of another name and rename it then,
    /// and throw it away on an error. Memory is some 8 MiB a read under way. `progress` hears how many bytes of tensors were
    /// opened since it was last called. Fails with [`Error::Usage`] where the model has no such file, with
    /// [`crate::error::SealedFailure`] otherwise.
    pub async fn write_file(
        &self,
        file: usize,
        out: &mut impl Write,
        roots: Roots,
        progress: impl FnMut(u64),
    ) -> Result<Roots> {
        let no_such = Error::Usage("the model has no such file");
        let tensors = self.manifest().tensors_of_file(file).ok_or(no_such.clone())?;
        let header = self.manifest().files().get(file).ok_or(no_such)?.header();
        out.write_all(header).map_err(write_failed)?;
        self.write_tensors(tensors, out, roots, progress).await
    }

    /// Writes consecutive tensors to `out`, one after the other without anything in between.
    ///
    /// What [`SealedModel::write_file`] says of verification, memory and errors holds here too.
    pub async fn write_tensors(
        &self,
        tensors: Range<u32>,
        out: &mut impl Write,
        roots: Roots,
        mut progress: impl FnMut(u64),
    ) -> Result<Roots> {
        let mut pieces = self.ciphertexts(tensors)?;
        let mut opener = None;
        let mut plaintext = Vec::new();
        while let Some(piece) = pieces.next().await? {
            let mut current = match opener.take() {
                Some(opener) => opener,
                None => self.opener(piece.tensor, roots)?,
            };
            plaintext.clear();
            current.open(piece.bytes, &mut plaintext)?;
            out.write_all(&plaintext).map_err(write_failed)?;
            progress(plaintext.len() as u64);
            if piece.last {
                current.finish()?;
            } else {
                opener = Some(current);
            }
        }
        plaintext.zeroize();
        out.flush().map_err(write_failed)?;
        Ok(roots)
    }
}
