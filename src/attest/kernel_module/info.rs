//! `.modinfo`: NUL-terminated `key=value` texts, in no order, with zero bytes between them.

use std::borrow::Cow;

use crate::error::ModuleFailure;

/// What a module says of itself. Nobody vouches for it but the module's signer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModuleInfo(Vec<u8>);

impl ModuleInfo {
    /// Keys that the kernel takes one value of, the first.
    const SINGLE: [&'static str; 4] = ["name", "version", "vermagic", "srcversion"];

    /// Takes the section's bytes. The kernel wants the last text ended; without that it would read on behind them.
    pub(super) fn read(section: &[u8]) -> Result<Self, ModuleFailure> {
        match section {
            [.., 0] => Ok(ModuleInfo(section.to_vec())),
            _ => Err(ModuleFailure::Malformed(".modinfo does not end with a NUL")),
        }
    }

    /// Every key with its value, in order. Bytes that are not UTF-8 are replaced; texts without "=" are passed over,
    /// as by the kernel.
    pub fn entries(&self) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
        let texts = self.0.split(|&byte| byte == 0);
        texts.filter_map(|text| {
            let at = text.iter().position(|&byte| byte == b'=')?;
            Some((String::from_utf8_lossy(&text[..at]), String::from_utf8_lossy(&text[at + 1..])))
        })
    }

    /// The first value of a key, which is the one that the kernel goes by.
    pub fn first(&self, key: &str) -> Option<Cow<'_, str>> {
        self.entries().find(|(found, _)| found == key).map(|(_, value)| value)
    }

    /// Its name. The build writes it here and into `.gnu.linkonce.this_module`, where the kernel takes the name that it loads the
    /// module under; that both are the same only a signature can vouch for.
    pub fn name(&self) -> Option<Cow<'_, str>> {
        self.first("name")
    }

    /// The vendor's version; modules of the kernel's own tree mostly have none.
    pub fn version(&self) -> Option<Cow<'_, str>> {
        self.first("version")
    }

    /// The kernel release and options that it was built for. The kernel compares it with its own.
    pub fn vermagic(&self) -> Option<Cow<'_, str>> {
        self.first("vermagic")
    }

    /// A checksum of its source (MD4, so against accidents only), where the build made one.
    pub fn srcversion(&self) -> Option<Cow<'_, str>> {
        self.first("srcversion")
    }

    /// Those of name, version, vermagic and srcversion that stand there several times with different values: tools
    /// that do not take the first see another module than the kernel does.
    pub fn ambiguous(&self) -> Vec<&'static str> {
        let differs = |key: &&str| {
            let mut values = self.entries().filter(|(found, _)| found == *key).map(|(_, value)| value);
            let first = values.next();
            values.any(|value| Some(value) != first)
        };
        Self::SINGLE.into_iter().filter(|key| differs(key)).collect()
    }
}
