//! Time as the channel sees it: told, never taken.

use core::time::Duration;

/// A moment on two clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timestamp {
    /// Since any fixed moment, by a clock that never goes back.
    pub monotonic: Duration,
    /// Since the Unix epoch, by the wall clock; it counts the time a machine sleeps, which the other may not.
    pub wall: Duration,
}

/// Tells the time. [`crate::SystemClock`] is the one to use; tests bring their own.
pub trait Clock: Send + Sync {
    /// The present moment.
    fn now(&self) -> Timestamp;
}
