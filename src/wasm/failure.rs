//! Errors as JavaScript sees them: an `Error` named `PqcGpuError` with the message and a `code`.

use js_sys::Reflect;
use wasm_bindgen::JsValue;

use crate::{
    Error,
    device::WebDevice,
    error::{HandshakeFailure, SealedFailure},
};

/// What a call of the wasm module gives.
pub(super) type Outcome<T> = Result<T, JsValue>;

/// An error as it is thrown.
pub(super) fn thrown(error: impl Into<Error>) -> JsValue {
    let error = error.into();
    with_code(code(&error), &error.to_string())
}

/// An error with a code of its own.
pub(super) fn with_code(code: &str, message: &str) -> JsValue {
    let value: JsValue = js_sys::Error::new(message).into();
    for (key, text) in [("name", "PqcGpuError"), ("code", code)] {
        // A fresh Error takes every property.
        let _ = Reflect::set(&value, &key.into(), &text.into());
    }
    value
}

/// Why a device refused, where it tells more than the error.
pub(super) fn thrown_by(device: &WebDevice, error: Error) -> JsValue {
    match error {
        // A mapping fails before the browser tells why.
        error if device.lost().is_some() || WebDevice::is_lost(&error) => with_code("device-lost", &error.to_string()),
        error if WebDevice::is_out_of_memory(&error) => with_code("out-of-memory", &error.to_string()),
        error => thrown(error),
    }
}

fn code(error: &Error) -> &'static str {
    match error {
        Error::ChannelEstablishment(HandshakeFailure::Untrusted(_) | HandshakeFailure::WrongPeer { .. }) => {
            "untrusted-peer"
        }
        Error::ChannelEstablishment(HandshakeFailure::Truncated) => "connection-closed",
        Error::ChannelEstablishment(_) => "handshake-failed",
        Error::ChannelExpired | Error::ClockWentBackward => "channel-expired",
        Error::ChannelClosed => "channel-closed",
        Error::ChannelFailed => "channel-failed",
        Error::Truncated => "truncated",
        Error::TimedOut => "timed-out",
        Error::Transport(_) => "connection-failed",
        Error::Limit(_) => "limit",
        Error::NonceReplay { .. } => "replay",
        Error::SequenceGap { .. } => "gap",
        Error::Record(_) | Error::Metadata(_) => "malformed",
        Error::Decryption => "tampered",
        Error::Identity(_) => "bad-identity",
        Error::Usage(_) => "usage",
        Error::DeviceUnavailable { .. } => "device-unavailable",
        Error::Backend(_) => "device-failed",
        Error::Random => "no-randomness",
        Error::SealedFile(failure) => sealed(failure),
        _ => "failed",
    }
}

fn sealed(failure: &SealedFailure) -> &'static str {
    match failure {
        SealedFailure::Untrusted(_) => "untrusted-publisher",
        SealedFailure::NotARecipient(_) => "wrong-recipient",
        SealedFailure::Release { .. } => "old-release",
        SealedFailure::Malformed(_) | SealedFailure::Version(_) => "malformed",
        SealedFailure::Length { .. } => "truncated",
        SealedFailure::Read(_) => "read-failed",
        SealedFailure::Signature
        | SealedFailure::Unwrap
        | SealedFailure::Recipients
        | SealedFailure::Commitment(_)
        | SealedFailure::Ciphertext(_)
        | SealedFailure::Root(_)
        | SealedFailure::Padding(_) => "tampered",
        _ => "failed",
    }
}
