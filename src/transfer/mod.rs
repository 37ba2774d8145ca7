//! Where channel, sealed files and device meet: records and sealed tensors are opened into device memory, records sealed out of it.
//!
//! [`Transfer`] keeps many tensors in flight: each is queued with [`Transfer::begin_open`], and
//! [`Transfer::settle`] waits, judges and releases them in sequence order. A tensor's handle exists only after its
//! verdict was read and its record released. Until then memory of the library's own cannot be read, and a caller's
//! buffer must not be; for ever after a failure both are zeros.
//!
//! Tensors of sealed files take the same way ([`Transfer::begin_open_sealed`], [`Transfer::sealed_arrival`]), without a session: each stands
//! for itself, and says whether its root was compared.
//!
//! Every future here may be dropped in the middle: what it began fails, and nothing of it stays readable.
//!
//! [`Backend`] is the plain carrier of the four methods upload, download, free, device_info: ciphertext in, ciphertext out.

mod arrival;
mod backend;
mod body;
pub mod hazmat;
mod open;
mod queue;
mod rows;
mod seal;
mod sealed;
mod slot;
mod tree;

pub use arrival::Arrival;
pub use backend::{Backend, Handle, InMemoryBackend};
pub use open::Destination;
pub use queue::Source;
pub use sealed::SealedArrival;
pub use slot::seal_into_slot;

pub use crate::ops::{DeviceTensor, Origin};

use std::{
    collections::VecDeque,
    sync::{Arc, Weak},
};

use crate::{
    Error, Result,
    channel::{self, schedule::EpochKeys},
    device::Device,
    kernel,
};
use body::KeyContext;
use open::{InFlight, Submitted};
use queue::Queue;

// The channel and the kernels know nothing of each other, but their chunks must be the same.
const _: () =
    assert!(channel::chunk::CHUNK_BYTES == kernel::CHUNK_BYTES && channel::suite::TAG_BYTES == kernel::TAG_BYTES);

/// Key contexts kept on the device: two directions, and the epoch before for what is still in flight.
const CONTEXTS: usize = 4;

/// Moves tensors between a session and a device.
pub struct Transfer<D: Device> {
    device: D,
    /// Tells this transfer from others.
    identity: Arc<()>,
    queue: Queue<D>,
    /// Held weakly: what the sessions and their tensors in flight let go of is erased.
    contexts: Vec<(Weak<EpochKeys>, KeyContext<D>)>,
    /// Tensors whose launches are recorded but not submitted.
    recorded: Vec<InFlight<D>>,
    recorded_bytes: u64,
    verdicts: Option<D::Buffer>,
    /// Batches on their way, each with the tensors it judges.
    submitted: VecDeque<Submitted<D>>,
    /// What a settle has judged and not yet given to the caller, in the order of queueing.
    settled: Vec<Result<DeviceTensor<D>>>,
    /// Tensors refused whose memory is still to be cleared.
    spoiled: Vec<DeviceTensor<D>>,
    /// The first failure of the device since the last settle. What is judged after it is refused.
    failure: Option<Error>,
    /// How often the device has failed. What was on its way then may not have come.
    failures: u64,
}

impl<D: Device> Transfer<D> {
    /// A transfer over a device. Sessions that share it share its memory, its time and its failures, no key or verdict.
    pub fn new(device: D) -> Self {
        Transfer {
            queue: Queue::new(&device),
            device,
            identity: Arc::default(),
            contexts: Vec::new(),
            recorded: Vec::new(),
            recorded_bytes: 0,
            verdicts: None,
            submitted: VecDeque::new(),
            settled: Vec::new(),
            spoiled: Vec::new(),
            failure: None,
            failures: 0,
        }
    }

    /// The device.
    pub fn device(&self) -> &D {
        &self.device
    }

    /// The key context of an epoch, expanded on the device at its first use. The oldest of too many is dropped, which
    /// erases it once the launches that use it are done.
    async fn context(&mut self, keys: &Arc<EpochKeys>) -> Result<KeyContext<D>> {
        // A weak reference keeps the address from being used again, so it stands for these keys alone.
        if let Some((_, context)) = self.contexts.iter().find(|(known, _)| known.as_ptr() == Arc::as_ptr(keys)) {
            return Ok(context.clone());
        }
        let context = KeyContext::expand(&self.device, &mut self.queue, keys.key()).await?;
        if self.contexts.len() == CONTEXTS {
            self.contexts.remove(0);
        }
        self.contexts.push((Arc::downgrade(keys), context.clone()));
        Ok(context)
    }

    /// Notes a failure of the device, whoever it was told to.
    fn note(&mut self, error: Option<&Error>) {
        self.failures += u64::from(matches!(error, Some(Error::Backend(_))));
    }

    /// Erases the device's copies of keys that no session or tensor in flight holds any more.
    fn forget_ended_epochs(&mut self) {
        self.contexts.retain(|(keys, _)| keys.strong_count() > 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{channel::schedule::tests::traffic, device::CpuDevice};

    #[test]
    fn keys_that_nobody_holds_any_more_leave_the_device() {
        let mut transfer = Transfer::new(CpuDevice::default());
        let [ended, going_on] = [traffic().host, traffic().device].map(|secret| Arc::new(secret.keys()));
        let known = |transfer: &Transfer<_>, keys: &Arc<EpochKeys>| {
            transfer.contexts.iter().any(|(known, _)| known.as_ptr() == Arc::as_ptr(keys))
        };
        pollster::block_on(async {
            for keys in [&ended, &going_on, &ended] {
                transfer.context(keys).await.expect("expands");
            }
            transfer.settle().await;
        });
        assert!(transfer.contexts.len() == 2 && known(&transfer, &ended) && known(&transfer, &going_on));
        assert_eq!(Arc::strong_count(&ended), 1, "the transfer itself keeps no key alive");
        drop(ended);
        pollster::block_on(transfer.settle());
        assert!(transfer.contexts.len() == 1 && known(&transfer, &going_on));
    }
}
