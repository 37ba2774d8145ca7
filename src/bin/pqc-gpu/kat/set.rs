//! The frame that all of Wycheproof's files share: groups of numbered tests with an expected result.

use serde::{Deserialize, Deserializer, de::DeserializeOwned, de::Error as _};

use crate::{failure::Failure, output::Progress};

/// A file: groups with parameters `P` of tests `T`.
#[derive(Deserialize)]
pub(super) struct Set<P, T> {
    #[serde(rename = "numberOfTests")]
    number_of_tests: Option<u64>,
    #[serde(rename = "testGroups")]
    groups: Vec<Group<P, T>>,
}

#[derive(Deserialize)]
struct Group<P, T> {
    #[serde(flatten)]
    parameters: P,
    tests: Vec<Numbered<T>>,
}

#[derive(Deserialize)]
struct Numbered<T> {
    #[serde(rename = "tcId")]
    id: u64,
    result: Expected,
    #[serde(flatten)]
    test: T,
}

/// What must become of a test's input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Expected {
    /// It is accepted, with the answer in the file.
    Valid,
    /// It is rejected.
    Invalid,
    /// Either is right.
    Acceptable,
}

/// Bytes in hex.
pub(super) struct Hex(pub(super) Vec<u8>);

/// How many tests had the answer in the file.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) passed: u64,
    pub(super) failed: u64,
    pub(super) skipped: u64,
    /// The numbers of the first few that failed.
    examples: Vec<u64>,
}

/// Reads JSON, all of it.
pub(super) fn from_json<T: DeserializeOwned>(json: &[u8]) -> Result<T, Failure> {
    serde_json::from_slice(json)
        .map_err(|error| Failure::usage(format!("not known answers in Wycheproof's JSON: {error}")))
}

impl<P: DeserializeOwned, T: DeserializeOwned> Set<P, T> {
    /// Reads a file; what it says of its length must be so, or part of it is missing.
    pub(super) fn read(json: &[u8]) -> Result<Self, Failure> {
        let set: Self = from_json(json)?;
        match set.number_of_tests {
            Some(said) if said != set.len() => {
                Err(Failure::usage(format!("the file says that it holds {said} tests but holds {}", set.len())))
            }
            _ => Ok(set),
        }
    }
}

impl<P, T> Set<P, T> {
    fn len(&self) -> u64 {
        self.groups.iter().map(|group| group.tests.len() as u64).sum()
    }

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

impl<'de> Deserialize<'de> for Hex {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let digit = |c: u8| (c as char).to_digit(16).map(|digit| digit as u8);
        let byte = |pair: &[u8]| match pair {
            &[high, low] => Some(digit(high)? << 4 | digit(low)?),
            _ => None,
        };
        let bytes: Option<Vec<u8>> = text.as_bytes().chunks(2).map(byte).collect();
        bytes.map(Hex).ok_or_else(|| D::Error::custom("a value is not whole bytes in hex"))
    }
}
