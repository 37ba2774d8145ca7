//! Medians of repeated work.

use std::time::{Duration, Instant};

use pqc_gpu_driver::{Error, block_on};

/// Repetitions, and the time after which there are no more of them.
const RUNS: usize = 9;
const TURNS: usize = 500;
const ENOUGH: Duration = Duration::from_secs(2);
/// Work as slow as this is not done three times for a median.
const TOO_MUCH: Duration = Duration::from_secs(20);

/// The median time of one piece of work, and of how many runs it is.
#[derive(Clone, Copy)]
pub(super) struct Measured {
    pub(super) seconds: f64,
    pub(super) runs: usize,
}

impl Measured {
    pub(super) fn median(mut seconds: Vec<f64>) -> Self {
        seconds.sort_by(f64::total_cmp);
        let runs = seconds.len();
        Measured { seconds: seconds.get(runs / 2).copied().unwrap_or(f64::NAN), runs }
    }
}

pub(super) fn median(mut work: impl FnMut() -> Result<(), Error>) -> Result<Measured, Error> {
    block_on(median_async(async || work()))
}

/// The medians of several pieces of work done in turns.
pub(super) fn medians<const N: usize>(
    mut work: impl FnMut(usize) -> Result<(), Error>,
) -> Result<[Measured; N], Error> {
    let (begun, mut seconds) = (Instant::now(), [const { Vec::new() }; N]);
    (0..N).try_for_each(&mut work)?; // memory is touched and code is warm
    while seconds[0].len() < TURNS && (seconds[0].len() < 3 || begun.elapsed() < ENOUGH) {
        for (what, seconds) in seconds.iter_mut().enumerate() {
            let started = Instant::now();
            work(what)?;
            seconds.push(started.elapsed().as_secs_f64());
        }
    }
    Ok(seconds.map(Measured::median))
}

pub(super) async fn median_async(mut work: impl AsyncFnMut() -> Result<(), Error>) -> Result<Measured, Error> {
    median_of(async || {
        let started = Instant::now();
        work().await?;
        Ok(started.elapsed().as_secs_f64())
    })
    .await
}

/// The same of work that times itself, because a part of it is not to be timed.
pub(super) async fn median_of(mut work: impl AsyncFnMut() -> Result<f64, Error>) -> Result<Measured, Error> {
    let begun = Instant::now();
    work().await?; // memory is touched and code is warm
    let mut seconds = Vec::new();
    while wanted(seconds.len(), begun) {
        seconds.push(work().await?);
    }
    Ok(Measured::median(seconds))
}

/// Whether there is to be one more run.
pub(super) fn wanted(runs: usize, begun: Instant) -> bool {
    let elapsed = begun.elapsed();
    runs == 0 || runs < RUNS && elapsed < if runs < 3 { TOO_MUCH } else { ENOUGH }
}
