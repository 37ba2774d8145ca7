//! Recipients, under a MAC by somebody with the file key: read only in their one form, and Alice opens the file if and only
//! if her entry is the one that was made for her.

use pqc_gpu_driver::{
    block_on,
    sealed::{Front, SealedModel},
};

use crate::{book, sealed::honest};

/// Three in an array: key-id, encapsulated key, wrapped key, with heads of 1, 2, 3 and 2 bytes.
const ENTRY_BYTES: usize = 1 + 2 + 32 + 3 + 1088 + 2 + 48;

pub fn check(data: &[u8]) -> bool {
    let honest = honest();
    let sealed = &honest.sealed;
    let mac = book::mac(&sealed.recipients_key, &sealed.manifest, data);
    let front = book::front(&sealed.manifest, &sealed.public_key, &sealed.signature, data, &mac);
    let file = [&front, &sealed.file[sealed.front.len()..]].concat();

    let entries = entries(data);
    assert_eq!(block_on(Front::read(&file[..])).is_ok(), entries.is_some());
    let own = entry("alice");
    let has_own = entries.is_some_and(|entries| entries.contains(&&own[..]));
    let opened = block_on(SealedModel::open(&file[..], &honest.alice, &honest.trust, 0)).is_ok();
    assert_eq!(opened, has_own);
    opened
}

/// What is wrapped for somebody in the honest file, or would be.
pub fn entry(who: &str) -> Vec<u8> {
    let honest = honest();
    let key = book::encapsulation_key(&crate::sealed_inputs::kem_seed(who));
    let m = crate::sealed_inputs::coins(&format!("m {who}"));
    book::recipient(&key, &m, &honest.inputs.file_key, &honest.sealed.manifest)
}

/// The entries, if they stand there as docs/sealed-format.md has it.
fn entries(data: &[u8]) -> Option<Vec<&[u8]>> {
    let count = [1, 2, 3].into_iter().find_map(|head| {
        let count = data.len().checked_sub(head)? / ENTRY_BYTES;
        (data[..head] == book::head(4, count as u64) && data.len() == head + count * ENTRY_BYTES).then_some(count)
    })?;
    if count == 0 || data.len() > 1 << 20 {
        return None;
    }
    let entries: Vec<_> = data[data.len() - count * ENTRY_BYTES..].chunks(ENTRY_BYTES).collect();
    let formed = |entry: &&[u8]| {
        entry.starts_with(&[0x83, 0x58, 32])
            && entry[35..].starts_with(&[0x59, 4, 0x40])
            && entry[35 + 3 + 1088..].starts_with(&[0x58, 48])
    };
    let ascend = entries.windows(2).all(|pair| pair[0][3..35] < pair[1][3..35]);
    (entries.iter().all(formed) && ascend).then_some(entries)
}
