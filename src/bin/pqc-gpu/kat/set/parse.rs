//! The frame that all of Wycheproof's files share: groups of numbered tests with an expected result. It knows nothing of the
//! program, so that it can be fuzzed.

use serde::{Deserialize, Deserializer, de::DeserializeOwned, de::Error as _};

/// A file: groups with parameters `P` of tests `T`.
#[derive(Deserialize)]
pub(crate) struct Set<P, T> {
    #[serde(rename = "numberOfTests")]
    number_of_tests: Option<u64>,
    #[serde(rename = "testGroups")]
    pub(crate) groups: Vec<Group<P, T>>,
}

#[derive(Deserialize)]
pub(crate) struct Group<P, T> {
    #[serde(flatten)]
    pub(crate) parameters: P,
    pub(crate) tests: Vec<Numbered<T>>,
}

#[derive(Deserialize)]
pub(crate) struct Numbered<T> {
    #[serde(rename = "tcId")]
    pub(crate) id: u64,
    pub(crate) result: Expected,
    #[serde(flatten)]
    pub(crate) test: T,
}

/// What must become of a test's input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Expected {
    /// It is accepted, with the answer in the file.
    Valid,
    /// It is rejected.
    Invalid,
    /// Either is right.
    Acceptable,
}

/// Bytes in hex.
pub(crate) struct Hex(pub(crate) Vec<u8>);

/// Reads JSON, all of it.
pub(crate) fn from_json<T: DeserializeOwned>(json: &[u8]) -> Result<T, String> {
    let wrong = |why: &dyn std::fmt::Display| format!("not known answers in Wycheproof's JSON: {why}");
    // In what is passed over the reader would not mind.
    let text = str::from_utf8(json).map_err(|error| wrong(&error))?;
    serde_json::from_str(text).map_err(|error| wrong(&error))
}

impl<P: DeserializeOwned, T: DeserializeOwned> Set<P, T> {
    /// Reads a file; what it says of its length must be so, or part of it is missing.
    pub(crate) fn read(json: &[u8]) -> Result<Self, String> {
        let set: Self = from_json(json)?;
        match set.number_of_tests {
            Some(said) if said != set.len() => {
                Err(format!("the file says that it holds {said} tests but holds {}", set.len()))
            }
            _ => Ok(set),
        }
    }
}

impl<P, T> Set<P, T> {
    pub(crate) fn len(&self) -> u64 {
        self.groups.iter().map(|group| group.tests.len() as u64).sum()
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
