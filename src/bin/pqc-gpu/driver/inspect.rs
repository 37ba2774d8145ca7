//! `pqc-gpu driver inspect FILE`: what a kernel module says of itself, and who signed it.

use std::path::Path;

use pqc_gpu_driver::attest::{
    DriverModule, ModuleDigest,
    kernel_module::{Certificate, KernelModule, Kind, MAX_MODULE_BYTES, Signer, SignerId},
};
use serde::Serialize;

use super::report::hex;
use crate::{
    failure::Failure,
    files,
    output::{self, shown},
};

/// Certificates have 1 to 10 kB.
const CERTIFICATE_BYTES: u64 = 64 << 10;

/// What a module file says. Nothing of it is verified.
#[derive(Serialize)]
pub(super) struct Module {
    sha3_256: String,
    size: u64,
    compression: String,
    /// Of what the kernel is handed: the file, decompressed.
    image_sha3_256: String,
    image_size: u64,
    architecture: &'static str,
    name: Option<String>,
    version: Option<String>,
    vermagic: Option<String>,
    pub(super) srcversion: Option<String>,
    /// What stands there several times with different values; the kernel takes the first.
    ambiguous: Vec<&'static str>,
    /// Null where there is no signature.
    signers: Option<Vec<SignedBy>>,
}

#[derive(Serialize)]
struct SignedBy {
    algorithm: String,
    kind: &'static str,
    digest: String,
    issuer: Option<String>,
    serial: Option<String>,
    key_id: Option<String>,
    signed_attributes: bool,
}

#[derive(Serialize)]
struct Inspection {
    file: String,
    #[serde(flatten)]
    module: Module,
    /// Null if no certificate was given.
    verified: Option<bool>,
    reason: Option<String>,
}

pub(super) fn inspect(file: &Path, certificate: Option<&Path>, json: bool) -> Result<(), Failure> {
    let certificate = certificate.map(read_certificate).transpose()?;
    let bytes = files::read(file, MAX_MODULE_BYTES)?;
    let module = read(file, &bytes)?;
    let verification = certificate.map(|certificate| module.verify(&certificate).map(drop));
    let inspection = Inspection {
        file: file.to_string_lossy().into_owned(),
        module: Module::of(DriverModule::hash_module_bytes(&bytes), &module),
        verified: verification.as_ref().map(|verified| verified.is_ok()),
        reason: verification.as_ref().and_then(|verified| Some(verified.as_ref().err()?.to_string())),
    };
    if json {
        output::json(&inspection)?;
    } else {
        let verified = match inspection.verified {
            None => "not checked; --certificate CERT does that",
            Some(true) => "yes, with the certificate's key",
            Some(false) => "no",
        };
        output::lines(inspection.module.lines().into_iter().chain([line("verified", verified)]))?;
    }
    match verification {
        Some(Err(error)) => Err(Failure::from(error).about(shown(file))),
        _ => Ok(()),
    }
}

/// Reads a module's bytes, with its path in what fails.
pub(super) fn read<'a>(file: &Path, bytes: &'a [u8]) -> Result<KernelModule<'a>, Failure> {
    KernelModule::read(bytes).map_err(|error| Failure::from(error).about(format!("cannot use {}", shown(file))))
}

fn read_certificate(path: &Path) -> Result<Certificate, Failure> {
    Certificate::read(&files::read(path, CERTIFICATE_BYTES)?)
        .map_err(|error| Failure::from(error).about(format!("cannot use {}", shown(path))))
}

impl Module {
    pub(super) fn of(file: ModuleDigest, module: &KernelModule) -> Self {
        let info = module.info();
        let owned = |value: Option<std::borrow::Cow<str>>| value.map(|value| value.into_owned());
        let image = match module.compression() {
            pqc_gpu_driver::attest::kernel_module::Compression::None => file,
            _ => DriverModule::hash_module_bytes(module.image()),
        };
        Module {
            sha3_256: hex(&file.sha3_256),
            size: file.size,
            compression: module.compression().to_string(),
            image_sha3_256: hex(&image.sha3_256),
            image_size: image.size,
            architecture: module.architecture(),
            name: owned(info.name()),
            version: owned(info.version()),
            vermagic: owned(info.vermagic()),
            srcversion: owned(info.srcversion()),
            ambiguous: info.ambiguous(),
            signers: module.signature().map(|signature| signature.signers().iter().map(SignedBy::of).collect()),
        }
    }

    /// For people.
    pub(super) fn lines(&self) -> Vec<String> {
        let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "none".into());
        let mut lines = vec![
            line("name", &text(&self.name)),
            line("version", &text(&self.version)),
            line("vermagic", &text(&self.vermagic)),
            line("srcversion", &text(&self.srcversion)),
            line("architecture", self.architecture),
            line("sha3-256", &self.sha3_256),
            line("size", &self.size.to_string()),
        ];
        if self.compression != "none" {
            lines.push(line("compression", &self.compression));
            lines.push(line("image sha3-256", &self.image_sha3_256));
            lines.push(line("image size", &self.image_size.to_string()));
        }
        if !self.ambiguous.is_empty() {
            lines.push(line("ambiguous", &format!("{}; the kernel takes the first", self.ambiguous.join(", "))));
        }
        match &self.signers {
            None => lines.push(line("signature", "none")),
            Some(signers) => lines.extend(signers.iter().flat_map(SignedBy::lines)),
        }
        lines
    }
}

impl SignedBy {
    fn of(signer: &Signer) -> Self {
        let (issuer, serial, key_id) = match signer.id() {
            SignerId::IssuerAndSerial { issuer, serial, .. } => (Some(issuer.clone()), Some(hex(serial)), None),
            SignerId::KeyId(id) => (None, None, Some(hex(id))),
            _ => (None, None, None),
        };
        SignedBy {
            algorithm: signer.algorithm().to_string(),
            kind: match signer.algorithm().kind() {
                Kind::PostQuantum => "post-quantum",
                Kind::Classical => "classical",
                _ => "unknown",
            },
            digest: signer.digest().to_string(),
            issuer,
            serial,
            key_id,
            signed_attributes: signer.has_signed_attributes(),
        }
    }

    fn lines(&self) -> [String; 2] {
        let kind = match self.kind {
            "classical" => "classical: not post-quantum",
            "unknown" => "nothing is known of it here",
            kind => kind,
        };
        let signer = match (&self.issuer, &self.serial, &self.key_id) {
            (Some(issuer), Some(serial), _) => format!("{issuer}, serial number {serial}"),
            (_, _, Some(id)) => format!("key {id}"),
            _ => "somebody".into(),
        };
        [
            line("signature", &format!("{} with {}, {kind}", self.algorithm, self.digest)),
            line("signed, it says, by", &signer),
        ]
    }
}

pub(super) fn line(what: &str, value: &str) -> String {
    format!("{what:<20}{value}")
}
