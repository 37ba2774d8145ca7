//! Streams by what they do, so that copies in, kernels and copies out of successive pieces run at once; and the order among them.
//!
//! Commands are issued in the order of their batches. What a lane does waits for what other lanes did before with the same
//! buffer, and for nothing else.

use core::{
    ptr,
    sync::atomic::{AtomicU64, Ordering},
};
use std::sync::Arc;

use cudarc::driver::sys::{CUstream, CUstream_flags_enum::CU_STREAM_NON_BLOCKING};

use super::{
    context::Context,
    driver::{Call, call},
    event::Event,
};

/// A stream by what it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lane {
    /// Copies from the host, and zeroing of fresh memory.
    In,
    /// Kernels, and zeroing that was asked for.
    Compute,
    /// Copies to the host.
    Out,
    /// Erases memory that nobody holds any more.
    Erase,
    /// Does nothing but wait for the others: where batches end.
    End,
}

const LANES: usize = 5;
const ALL: [Lane; LANES] = [Lane::In, Lane::Compute, Lane::Out, Lane::Erase, Lane::End];

/// For each lane, the number of the last command that used some memory.
#[derive(Default)]
pub(super) struct Uses([AtomicU64; LANES]);

/// One of the driver's streams.
struct Stream {
    raw: CUstream,
    context: Arc<Context>,
}

// SAFETY: the driver's streams may be used from every thread; a mutex around [`Lanes`] keeps their order.
unsafe impl Send for Stream {}

impl Stream {
    /// The context is current.
    fn new(context: &Arc<Context>) -> Call<Self> {
        let mut raw = ptr::null_mut();
        call!(cuStreamCreate(&mut raw, CU_STREAM_NON_BLOCKING as u32))?;
        Ok(Stream { raw, context: Arc::clone(context) })
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if let Ok(_current) = self.context.enter_lost() {
            let _ = call!(cuStreamDestroy_v2(self.raw));
        }
    }
}

pub(super) struct Lanes {
    streams: [Stream; LANES],
    /// Recorded anew whenever another lane has to wait.
    marks: [Event; LANES],
    /// Commands given to each lane.
    issued: [u64; LANES],
    /// For each lane, how many commands of each other lane it has waited for.
    waited: [[u64; LANES]; LANES],
}

impl Lanes {
    /// The context is current.
    pub(super) fn new(context: &Arc<Context>) -> Call<Self> {
        let stream = || Stream::new(context);
        let mark = || Event::new(context);
        Ok(Lanes {
            streams: [stream()?, stream()?, stream()?, stream()?, stream()?],
            marks: [mark()?, mark()?, mark()?, mark()?, mark()?],
            issued: [0; LANES],
            waited: [[0; LANES]; LANES],
        })
    }

    pub(super) fn stream(&self, lane: Lane) -> CUstream {
        self.streams[lane as usize].raw
    }

    /// What the lane does next comes after all that other lanes did with this memory.
    pub(super) fn after(&mut self, lane: Lane, uses: &Uses) -> Call {
        ALL.into_iter().try_for_each(|other| self.reach(lane, other, uses.0[other as usize].load(Ordering::Relaxed)))
    }

    /// What the lane does next comes after all that the other was given.
    pub(super) fn after_all_of(&mut self, lane: Lane, other: Lane) -> Call {
        self.reach(lane, other, self.issued[other as usize])
    }

    fn reach(&mut self, lane: Lane, other: Lane, command: u64) -> Call {
        let (at, of) = (lane as usize, other as usize);
        if at == of || command <= self.waited[at][of] {
            return Ok(());
        }
        call!(cuEventRecord(self.marks[of].raw(), self.streams[of].raw))?;
        call!(cuStreamWaitEvent(self.streams[at].raw, self.marks[of].raw(), 0))?;
        self.waited[at][of] = self.issued[of];
        Ok(())
    }

    /// Counts a command that the lane was given, which uses this memory. Counted even where giving it failed: then nobody knows.
    pub(super) fn count<'a>(&mut self, lane: Lane, uses: impl IntoIterator<Item = &'a Uses>) {
        self.issued[lane as usize] += 1;
        uses.into_iter().for_each(|uses| uses.0[lane as usize].store(self.issued[lane as usize], Ordering::Relaxed));
    }

    /// Waits until every lane has done what it was given.
    pub(super) fn finish(&self) -> Call {
        self.streams.iter().try_for_each(|stream| call!(cuStreamSynchronize(stream.raw)))
    }

    /// What every lane does next comes after an event.
    pub(super) fn all_after(&mut self, event: &Event) -> Call {
        self.streams.iter().try_for_each(|stream| call!(cuStreamWaitEvent(stream.raw, event.raw(), 0)))
    }
}
