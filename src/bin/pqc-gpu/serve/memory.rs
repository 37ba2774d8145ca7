//! The device's memory, of which all clients together take so much and no more.

use std::{
    sync::{Condvar, Mutex, PoisonError},
    time::Duration,
};

use pqc_gpu_driver::Error;

use crate::timed::Deadline;

/// How long a wait lasts before it looks at its deadline again.
const SLICE: Duration = Duration::from_millis(200);

/// What is left for tensors.
pub(super) struct Memory {
    free: Mutex<u64>,
    given_back: Condvar,
}

/// A part of it, given back when dropped.
pub(super) struct Held<'m> {
    memory: &'m Memory,
    bytes: u64,
}

impl Memory {
    pub(super) fn new(bytes: u64) -> Self {
        Memory { free: Mutex::new(bytes), given_back: Condvar::new() }
    }

    /// Waits until so much is free and takes it. Whoever waits must hold none, or two would wait for each other for ever.
    pub(super) fn take(&self, bytes: u64, deadline: &Deadline) -> Result<Held<'_>, Error> {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(left) = free.checked_sub(bytes) {
                *free = left;
                return Ok(Held { memory: self, bytes });
            }
            let Some(time) = deadline.left().filter(|_| !deadline.is_stopped()) else {
                return Err(Error::Limit("the memory for all clients' tensors is taken"));
            };
            free = self.given_back.wait_timeout(free, time.min(SLICE)).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        *self.memory.free.lock().unwrap_or_else(PoisonError::into_inner) += self.bytes;
        self.memory.given_back.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::{thread, time::Instant};

    use super::*;

    #[test]
    fn nobody_gets_more_than_there_is() {
        let memory = Memory::new(10);
        let soon = || Deadline::absolute(Duration::from_millis(50));
        let (first, second) = (memory.take(7, &soon()).ok(), memory.take(3, &soon()).ok());
        assert!(first.is_some() && second.is_some());
        assert!(matches!(memory.take(1, &soon()), Err(Error::Limit(_))), "all of it is taken");
        assert!(memory.take(0, &soon()).is_ok());
        drop(second);
        assert!(matches!(memory.take(4, &soon()), Err(Error::Limit(_))));
        drop(first);
        assert!(memory.take(10, &soon()).is_ok(), "and given back");
        assert!(matches!(memory.take(u64::MAX, &soon()), Err(Error::Limit(_))));
    }

    #[test]
    fn what_is_given_back_goes_to_who_waits_and_the_end_of_the_server_to_all() {
        let memory = Memory::new(10);
        let held = memory.take(10, &Deadline::absolute(Duration::ZERO)).ok();
        let late = Duration::from_secs(60);
        let started = Instant::now();
        thread::scope(|scope| {
            let waiting = scope.spawn(|| memory.take(10, &Deadline::absolute(late)).is_ok());
            thread::sleep(Duration::from_millis(20));
            drop(held);
            assert!(waiting.join().expect("no panic"));
        });
        let _held = memory.take(10, &Deadline::absolute(late)).ok();
        let stopped = Deadline::absolute(late);
        stopped.stop_reading();
        assert!(memory.take(1, &stopped).is_err());
        assert!(started.elapsed() < late / 2);
    }
}
