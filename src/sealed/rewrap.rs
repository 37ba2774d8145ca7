//! The same file for other recipients (docs/sealed-format.md, "Rewrapping").

use std::io::Write;

use super::{
    ciphertext::PIECE_CHUNKS,
    coins::Coins,
    model::SealedModel,
    recipients::{Recipient, RecipientId, RecipientKey, Recipients},
    source::Source,
    writer::write_failed,
};
use crate::{Error, Result, channel::chunk::SEALED_CHUNK_BYTES};

impl<S: Source> SealedModel<S> {
    /// The front for these recipients less `remove` and with `add`; the bodies follow it as they are.
    ///
    /// To remove a recipient does not revoke the file key he may have kept. Fails with [`Error::Usage`] where a recipient to
    /// remove is none, one to add is one already, or none would be left.
    pub fn rewrapped_front(&self, add: &[RecipientKey], remove: &[RecipientId]) -> Result<Vec<u8>> {
        let front = self.unwrapped();
        // Anybody can wrap a key of his own for a recipient, with a MAC that holds under it. Nothing was sealed under such a
        // key, and it must not be wrapped for others.
        for tensor in 0..self.manifest().tensors().len() as u32 {
            self.body(tensor)?;
        }
        let mut recipients = front.recipients().clone().into_vec();
        for id in remove {
            let at = recipients.iter().position(|recipient| recipient.id() == *id);
            recipients.remove(at.ok_or(Error::Usage("a recipient to remove is not one of the file's"))?);
        }
        let coins = Coins::default();
        for (i, key) in add.iter().enumerate() {
            if recipients.iter().any(|recipient| recipient.id() == key.id()) {
                return Err(Error::Usage("a recipient to add is one of the file's already"));
            }
            recipients.push(Recipient::wrap(key, &front.file_key, front.manifest_digest(), coins.encapsulation(i)?)?);
        }
        if recipients.is_empty() {
            return Err(Error::Usage("the last recipient cannot be removed: nobody could open the file"));
        }
        Ok(front.with_recipients(&Recipients::new(recipients)?))
    }

    /// Writes the whole file for these recipients less `remove` and with `add`, as [`SealedModel::rewrapped_front`] has it.
    ///
    /// Bodies are copied byte for byte and not looked at; memory is some 8 MiB. It is no sealed file before this has returned.
    /// `progress` hears how many bytes of bodies were copied since it was last called.
    pub async fn write_rewrapped(
        &self,
        add: &[RecipientKey],
        remove: &[RecipientId],
        out: &mut impl Write,
        mut progress: impl FnMut(u64),
    ) -> Result<()> {
        out.write_all(&self.rewrapped_front(add, remove)?).map_err(write_failed)?;
        let mut at = self.front().bodies_start();
        let end = self.source().size();
        let mut buffer = Vec::new();
        while at < end {
            let bytes = (end - at).min(u64::from(PIECE_CHUNKS) * SEALED_CHUNK_BYTES);
            buffer.resize(bytes as usize, 0);
            self.source().read_at(at, &mut buffer).await?;
            out.write_all(&buffer).map_err(write_failed)?;
            at += bytes;
            progress(bytes);
        }
        out.flush().map_err(write_failed)?;
        Ok(())
    }
}
