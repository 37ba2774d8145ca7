//! What ends the program early: one line for people and an exit code for scripts.

use std::{fmt, io, path::Path, process::ExitCode};

use pqc_gpu_driver::{
    Error,
    error::{ModuleFailure, SealedFailure},
};

use crate::output::{printable, shown};

/// Why the program ends without having done what was asked.
#[derive(Debug)]
pub(crate) struct Failure {
    kind: Kind,
    message: String,
}

/// The exit codes, a contract with scripts (docs/program.md).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Verification or authentication failed.
    Rejected = 1,
    /// A call that cannot be made like this, or input that cannot be read.
    Usage = 2,
    /// The device asked for is not available.
    DeviceUnavailable = 3,
    /// Anything else.
    Other = 4,
}

impl Failure {
    /// Something did not verify.
    pub(crate) fn rejected(message: impl Into<String>) -> Self {
        Failure { kind: Kind::Rejected, message: message.into() }
    }

    /// The caller has to ask otherwise.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Failure { kind: Kind::Usage, message: message.into() }
    }

    /// Neither the input nor the device is to blame.
    pub(crate) fn other(message: impl Into<String>) -> Self {
        Failure { kind: Kind::Other, message: message.into() }
    }

    /// A file that cannot be read.
    pub(crate) fn reading(path: &Path, error: io::Error) -> Self {
        Failure::usage(format!("cannot read {}: {}", shown(path), reason(&error)))
    }

    /// A file that cannot be written.
    pub(crate) fn writing(path: &Path, error: io::Error) -> Self {
        Failure::other(format!("cannot write {}: {}", shown(path), reason(&error)))
    }

    /// What ended an exchange with a peer. Metadata that is none is the caller's mistake in a file, but a peer's it is not.
    pub(crate) fn from_peer(error: Error) -> Self {
        match error {
            Error::Metadata(_) => Failure::rejected(error.to_string()),
            other => Failure::from(other),
        }
    }

    /// Says what it happened to, in front of what happened.
    pub(crate) fn about(self, what: impl fmt::Display) -> Self {
        Failure { message: format!("{}: {}", printable(&what.to_string()), self.message), ..self }
    }

    /// Whether something did not verify.
    pub(crate) fn is_rejection(&self) -> bool {
        self.kind == Kind::Rejected
    }

    /// For the shell.
    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.kind as u8)
    }
}

/// One line, whatever the names in it hold.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&printable(&self.message))
    }
}

impl Kind {
    fn of(failure: &SealedFailure) -> Self {
        match failure {
            SealedFailure::Malformed(_)
            | SealedFailure::Version(_)
            | SealedFailure::Read(_)
            | SealedFailure::Changed
            | SealedFailure::Model(_) => Kind::Usage,
            SealedFailure::Write(_) => Kind::Other,
            // All others are of what has the right form: somebody else's, altered, cut off or old.
            _ => Kind::Rejected,
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let kind = match &error {
            Error::SealedFile(failure) => Kind::of(failure),
            Error::ChannelEstablishment(_)
            | Error::ChannelClosed
            | Error::ChannelFailed
            | Error::Truncated
            | Error::NonceReplay { .. }
            | Error::SequenceGap { .. }
            | Error::Record(_)
            | Error::Decryption
            | Error::DriverAttestation(_)
            | Error::KernelModule(ModuleFailure::NotVerified(_)) => Kind::Rejected,
            Error::Metadata(_) | Error::KernelModule(_) | Error::Identity(_) | Error::Usage(_) => Kind::Usage,
            Error::DeviceUnavailable { .. } => Kind::DeviceUnavailable,
            // A time to live that is over says nothing about the peer.
            _ => Kind::Other,
        };
        Failure { kind, message: error.to_string() }
    }
}

/// The operating system's words without their number.
pub(crate) fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn library_errors_have_their_exit_codes() {
        let kind = |error| Failure::from(error).kind;
        assert_eq!(kind(Error::Decryption), Kind::Rejected);
        assert_eq!(kind(Error::Truncated), Kind::Rejected);
        assert_eq!(kind(Error::NonceReplay { expected: 1, received: 0 }), Kind::Rejected);
        assert_eq!(kind(Error::Identity("x")), Kind::Usage);
        let absent = Error::DeviceUnavailable { device: "cuda:0".into(), remedy: "use cpu".into() };
        assert_eq!(kind(absent), Kind::DeviceUnavailable);
        assert_eq!(kind(Error::Random), Kind::Other);
        assert_eq!(kind(Error::ChannelExpired), Kind::Other);
        assert_eq!(kind(Error::Metadata("x")), Kind::Usage);
        assert_eq!(Failure::from_peer(Error::Metadata("x")).kind, Kind::Rejected);
        assert_eq!(Failure::from_peer(Error::TimedOut).kind, Kind::Other);
    }

    #[test]
    fn failures_are_one_line_and_drive_no_terminal() {
        let failure = Failure::usage("a\nb\u{1b}[31mc").about("d\re");
        assert!(!failure.to_string().chars().any(char::is_control));
    }
}
