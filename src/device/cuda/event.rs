//! Events, and threads that wait for them so that no executor has to.

use core::ptr;
use std::{
    sync::{Arc, mpsc},
    thread,
};

use cudarc::driver::sys::{CUevent, CUevent_flags_enum::*, CUresult, CUstream};

use super::{
    context::{Context, Entered},
    driver::{Call, call},
};
use crate::{Error, Result};

/// A point in a stream.
pub(super) struct Event {
    raw: CUevent,
    context: Arc<Context>,
}

// SAFETY: the driver's events may be used from every thread.
unsafe impl Send for Event {}
// SAFETY: as above.
unsafe impl Sync for Event {}

impl Event {
    /// Marks what a stream has been given until now. The context is current.
    pub(super) fn record(context: &Arc<Context>, stream: CUstream) -> Call<Self> {
        let event = Event::new(context)?;
        call!(cuEventRecord(event.raw, stream))?;
        Ok(event)
    }

    /// The same, with the time.
    pub(super) fn record_timed(context: &Arc<Context>, stream: CUstream) -> Call<Self> {
        let event = Event::with_flags(context, 0)?;
        call!(cuEventRecord(event.raw, stream))?;
        Ok(event)
    }

    /// One that marks nothing yet. The context is current.
    pub(super) fn new(context: &Arc<Context>) -> Call<Self> {
        Event::with_flags(context, CU_EVENT_DISABLE_TIMING as u32 | CU_EVENT_BLOCKING_SYNC as u32)
    }

    fn with_flags(context: &Arc<Context>, flags: u32) -> Call<Self> {
        let mut raw = ptr::null_mut();
        call!(cuEventCreate(&mut raw, flags))?;
        Ok(Event { raw, context: Arc::clone(context) })
    }

    pub(super) fn raw(&self) -> CUevent {
        self.raw
    }

    /// Makes its context current.
    pub(super) fn enter(&self) -> Call<Entered> {
        self.context.enter()
    }

    /// Whether the stream has come so far.
    pub(super) fn is_done(&self) -> Call<bool> {
        let _current = self.context.enter()?;
        match call!(cuEventQuery(self.raw)) {
            Ok(()) => Ok(true),
            Err(failure) if failure.code == CUresult::CUDA_ERROR_NOT_READY => Ok(false),
            Err(failure) => {
                self.context.lose(failure);
                Err(failure)
            }
        }
    }

    /// Blocks until the stream has come so far.
    fn wait(&self) -> Call {
        let _current = self.context.enter()?;
        call!(cuEventSynchronize(self.raw)).inspect_err(|&failure| self.context.lose(failure))
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        if let Ok(_current) = self.context.enter_lost() {
            let _ = call!(cuEventDestroy_v2(self.raw));
        }
    }
}

struct Job {
    event: Arc<Event>,
    done: Box<dyn FnOnce(Call) + Send>,
}

/// A thread that waits for events of one stream, in their order. Dropped, it waits for the last.
pub(super) struct Waiter {
    /// None once it is to end.
    jobs: Option<mpsc::Sender<Job>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Waiter {
    pub(super) fn start(name: &str) -> Result<Self> {
        let (jobs, waiting) = mpsc::channel::<Job>();
        let run = move || waiting.into_iter().for_each(|Job { event, done }| done(event.wait()));
        match thread::Builder::new().name(name.into()).spawn(run) {
            Ok(thread) => Ok(Waiter { jobs: Some(jobs), thread: Some(thread) }),
            Err(error) => Err(Error::Backend(format!("no thread to wait for the GPU: {error}"))),
        }
    }

    /// Calls `done` when the stream has come to the event, or cannot.
    pub(super) fn when(&self, event: Arc<Event>, done: impl FnOnce(Call) + Send + 'static) {
        let job = Job { event, done: Box::new(done) };
        let refused = match &self.jobs {
            Some(jobs) => jobs.send(job).err().map(|mpsc::SendError(job)| job),
            None => Some(job),
        };
        if let Some(job) = refused {
            // The thread is gone, as after a panic of another's waker: wait here.
            (job.done)(job.event.wait());
        }
    }
}

impl Drop for Waiter {
    /// No thread of the device's is in the driver any more when the process ends.
    fn drop(&mut self) {
        self.jobs = None;
        // A waker may have let go of the device on this very thread.
        if let Some(thread) = self.thread.take().filter(|thread| thread.thread().id() != thread::current().id()) {
            let _ = thread.join();
        }
    }
}
