//! Records on their way out.

use futures_io::AsyncWrite;

use super::{
    PIECE_CHUNKS,
    stream::{flush, write_all},
};
use crate::{
    Error, Result,
    channel::ChannelSession,
    device::Device,
    tensor::TensorMetadata,
    transfer::{DeviceTensor, Transfer},
};

/// Puts a session's records on a stream. A future of it that is dropped, or fails, within a record ends the session.
pub struct Sender<'s, W> {
    session: &'s ChannelSession,
    stream: W,
    /// One piece, sealed.
    sealed: Vec<u8>,
}

impl<'s, W: AsyncWrite + Unpin> Sender<'s, W> {
    /// Over the stream on which the handshake has just ended.
    pub fn new(session: &'s ChannelSession, stream: W) -> Self {
        Sender { session, stream, sealed: Vec::new() }
    }

    /// Seals a tensor and sends it, piece by piece; its bytes are read once. Fails, sending nothing, where `bytes` has not the length
    /// the metadata says.
    pub async fn send(&mut self, metadata: &TensorMetadata, bytes: &[u8]) -> Result<()> {
        if bytes.len() as u64 != metadata.size_bytes() {
            return Err(Error::Usage("the tensor's bytes are not as many as its shape and type say"));
        }
        let mut sealing = self.session.seal(metadata)?;
        self.sealed.clear();
        // Header and first piece leave together: small tensors in one packet.
        self.sealed.extend(sealing.prelude());
        while let Some(piece) = sealing.next_piece(PIECE_CHUNKS) {
            let (from, to, start) = (piece.plaintext(), piece.sealed(), self.sealed.len());
            self.sealed.resize(start + (to.end - to.start) as usize, 0);
            piece.seal(&bytes[from.start as usize..from.end as usize], &mut self.sealed[start..])?;
            write_all(&mut self.stream, &self.sealed).await?;
            self.sealed.clear();
        }
        sealing.finish()?;
        flush(&mut self.stream).await
    }

    /// Seals a tensor on its device and sends it.
    pub async fn send_from<D: Device>(&mut self, transfer: &mut Transfer<D>, tensor: &DeviceTensor<D>) -> Result<()> {
        let (session, stream) = (self.session, &mut self.stream);
        transfer.seal_to(session, tensor, async |part: &[u8]| write_all(stream, part).await).await?;
        flush(&mut self.stream).await
    }

    /// Sends KEY_UPDATE: what follows is under the next key.
    pub async fn update_key(&mut self) -> Result<()> {
        let record = self.session.update_key()?;
        self.control(&record).await
    }

    /// Sends CLOSE: nothing can follow.
    pub async fn close(&mut self) -> Result<()> {
        let record = self.session.close()?;
        self.control(&record).await
    }

    /// The stream, to look at.
    pub fn stream(&self) -> &W {
        &self.stream
    }

    /// The stream.
    pub fn into_inner(self) -> W {
        self.stream
    }

    async fn control(&mut self, record: &[u8]) -> Result<()> {
        write_all(&mut self.stream, record).await?;
        flush(&mut self.stream).await
    }
}
