//! What is attested: a driver module's file, measured, and its names.

use sha3::{Digest, Sha3_256};

use crate::{Error, Result};

/// The longest name, version or target: 255 bytes of UTF-8.
pub const MAX_TEXT_BYTES: usize = 255;

/// A module file's SHA3-256 (FIPS 202) and its length in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ModuleDigest {
    /// SHA3-256 of the file.
    pub sha3_256: [u8; 32],
    /// The file's length in bytes.
    pub size: u64,
}

/// Measures the bytes.
impl From<&[u8]> for ModuleDigest {
    fn from(bytes: &[u8]) -> Self {
        DriverModule::hash_module_bytes(bytes)
    }
}

/// Measures a module that is too large for memory, piece by piece.
#[derive(Clone, Default)]
pub struct ModuleHasher {
    hash: Sha3_256,
    size: u64,
}

impl ModuleHasher {
    /// Takes the next piece.
    pub fn update(&mut self, piece: &[u8]) {
        self.hash.update(piece);
        // 2⁶⁴ bytes cannot be hashed in anybody's lifetime; a saturated length would still not be one that verifies.
        self.size = self.size.saturating_add(piece.len() as u64);
    }

    /// The digest and size of all pieces.
    pub fn finish(self) -> ModuleDigest {
        ModuleDigest { sha3_256: self.hash.finalize().into(), size: self.size }
    }
}

/// A driver or kernel module, as its signer describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DriverModule {
    name: String,
    version: String,
    target: String,
    digest: ModuleDigest,
    security_version: u64,
}

impl DriverModule {
    /// Describes a module. `target` says what it is for, such as "linux-x86_64 6.12"; `security_version` goes up with
    /// every release that repairs a weakness, and never down.
    ///
    /// Fails with [`Error::Usage`] if a text is empty, longer than [`MAX_TEXT_BYTES`] or holds control characters.
    pub fn new(
        name: impl Into<String>,
        version: impl Into<String>,
        target: impl Into<String>,
        digest: impl Into<ModuleDigest>,
        security_version: u64,
    ) -> Result<Self> {
        let (name, version, target) = (name.into(), version.into(), target.into());
        if ![&name, &version, &target].into_iter().all(|text| is_text(text)) {
            return Err(Error::Usage(
                "a module's name, version and target have 1 to 255 bytes each and no control characters",
            ));
        }
        Ok(DriverModule { name, version, target, digest: digest.into(), security_version })
    }

    /// Measures a module in memory.
    pub fn hash_module_bytes(bytes: &[u8]) -> ModuleDigest {
        let mut hasher = ModuleHasher::default();
        hasher.update(bytes);
        hasher.finish()
    }

    /// The module's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The vendor's version, free text.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// What the module is for, free text.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// The file's digest and size.
    pub fn digest(&self) -> ModuleDigest {
        self.digest
    }

    /// The number that rollback protection goes by.
    pub fn security_version(&self) -> u64 {
        self.security_version
    }
}

/// Names are shown to people and compared as bytes, so nothing in them may be invisible to the first.
fn is_text(text: &str) -> bool {
    (1..=MAX_TEXT_BYTES).contains(&text.len()) && !text.chars().any(char::is_control)
}
