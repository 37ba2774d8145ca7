//! DIDs, element types and dates: what is read has one form and is written again as it was.

use pqc_gpu_driver::{DType, identity::KeyId};

#[path = "../../src/bin/pqc-gpu/driver/date.rs"]
mod date;

/// Any text.
pub fn check(data: &[u8]) -> bool {
    let Ok(text) = core::str::from_utf8(data) else { return false };
    let mut accepted = false;
    if let Ok(id) = text.parse::<KeyId>() {
        assert_eq!((id.did().as_str(), text.len()), (text, 74));
        accepted = true;
    }
    if let Ok(dtype) = text.parse::<DType>() {
        assert_eq!(dtype.name().parse(), Ok(dtype));
        accepted = true;
    }
    if let Ok(seconds) = date::parse(text) {
        // Past the year 9999 a date is shown as a sentence.
        let shown = date::shown(seconds);
        assert!(seconds > 253_402_300_799 || date::parse(&shown) == Ok(seconds), "{text}: {shown}");
        // In UTC there is one form, and this is it.
        assert!(!text.ends_with('Z') || shown == text, "{text}: {shown}");
        accepted = true;
    }
    accepted
}
