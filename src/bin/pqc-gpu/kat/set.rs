//! Running a file's tests and counting them.

mod parse;

pub(super) use parse::{Expected, Hex, Set, from_json};

use crate::{failure::Failure, output::Progress};
use parse::Numbered;

/// How many tests had the answer in the file.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) passed: u64,
    pub(super) failed: u64,
    pub(super) skipped: u64,
    /// The numbers of the first few that failed.
    examples: Vec<u64>,
}

impl<P, T> Set<P, T> {
    /// Runs the tests of the groups that are `ours`, skips the others. `holds` says whether a test has its answer; what
    /// it fails with, no test's answer, ends the run.
    pub(super) fn run(
        &self,
        ours: impl Fn(&P) -> bool,
        mut holds: impl FnMut(&P, &T, Expected) -> Result<bool, Failure>,
    ) -> Result<Tally, Failure> {
        let mut tally = Tally::default();
        let mut progress = Progress::items(self.len());
        for group in &self.groups {
            if !ours(&group.parameters) {
                tally.skipped += group.tests.len() as u64;
                continue;
            }
            for Numbered { id, result, test } in &group.tests {
                let holds = holds(&group.parameters, test, *result).map_err(|why| why.about(format!("test {id}")))?;
                tally.count(*id, holds);
                progress.advance(1);
            }
        }
        Ok(tally)
    }
}

impl Tally {
    fn count(&mut self, id: u64, holds: bool) {
        match holds {
            true => self.passed += 1,
            false => {
                self.failed += 1;
                if self.examples.len() < 10 {
                    self.examples.push(id);
                }
            }
        }
    }

    /// One line on what failed.
    pub(super) fn complaint(&self) -> String {
        let numbers: Vec<String> = self.examples.iter().map(u64::to_string).collect();
        let more = if self.failed as usize > numbers.len() { ", …" } else { "" };
        let run = self.passed + self.failed;
        format!("{} of {run} answers are wrong: tests {}{more}", self.failed, numbers.join(", "))
    }
}

impl Expected {
    /// Whether acceptance (with the right answer) or rejection is what was expected.
    pub(super) fn is(self, accepted: bool) -> bool {
        match self {
            Expected::Valid => accepted,
            Expected::Invalid => !accepted,
            Expected::Acceptable => true,
        }
    }
}
