//! The conformance suite: what every device must do, run by [`conformance!`](crate::conformance!) as one test a case.
//!
//! The cases speak to a device through [`Device`] and [`Transfer`](crate::transfer::Transfer) alone and compare with the by-the-book
//! twins in [`crate::kernel::twin`]. [`Awkward`] is a device that keeps every promise of the trait and nothing beyond:
//! the suite runs on it, so that code above devices does not lean on what one of them happens to do.

mod awkward;
pub mod bodies;
pub mod digests;
pub mod launches;
pub mod memory;
pub mod ops;
pub mod orders;
pub mod records;
pub mod sealed;

pub use awkward::Awkward;

use core::ops::Range;

use crate::{
    Result,
    device::{Device, Part, Slot, SlotWriter},
};

/// Runs the suite on a device: `conformance!(name_of_module, expression of type Result<impl Device>)`.
///
/// A device that is not available is skipped with the reason, which the environment variable
/// `PQC_GPU_REQUIRE_DEVICES` turns into a failure.
///
/// `conformance!(in_browser name, future of a Result<impl Device>)` does the same by `wasm_bindgen_test`, which must be imported.
#[macro_export]
macro_rules! conformance {
    ($module:ident, $device:expr) => {
        $crate::conformance!(@list native $module, $device);
    };
    (in_browser $module:ident, $device:expr) => {
        $crate::conformance!(@list in_browser $module, $device);
    };
    (@list $where:ident $module:ident, $device:expr) => {
        $crate::conformance!(@$where $module, $device,
            bodies: known_answers boundary_lengths any_aad_length any_chunk_size every_tag_bit altered_bodies
                    reuse_after_failure differential,
            memory: fresh_memory_is_zero freed_memory_shows_nothing slots_take_parts secret_slots_are_erased erased_contexts_are_useless
                    contexts_without_stamp_are_useless verdicts_start_as_failure launches_add_up
                    verdicts_are_for_one_launch chunks_and_roots_do_not_stand_in_for_each_other
                    zero_chunks_are_never_verified,
            records: boundary_records split_bodies many_in_flight one_bad_tensor_in_a_batch last_chunk_of_a_large_tensor
                     callers_buffers source_changed_after_copy abandoned_tensors arrivals rekeying carried_ciphertext
                     launches_are_counted,
            sealed: boundary_bodies roots_over_many_chunks recipients_cannot_alter altered_sealed_bodies each_for_itself
                    rows_of_a_tensor sealed_arrivals many_small_bodies,
            ops: casts_of_every_short_value casts_of_binary32 casts_of_any_shape dequantized_blocks dequantized_channels
                 results_are_sealed impossible_casts_are_refused,
            orders: permutes_in_every_order transposes slices impossible_orders_are_refused,
            digests: leaves_of_any_length roots_of_any_number_of_chunks roots_are_compared_whole impossible_digests_are_refused,
            launches: copies_of_parts channels_of_parts impossible_launches_are_refused
        );
    };
    (@in_browser $module:ident, $device:expr, $($group:ident: $($case:ident)+),+) => {
        mod $module {
            use super::*;
            $($(
                #[wasm_bindgen_test]
                async fn $case() {
                    let device = $device.await.expect("a device");
                    $crate::conformance::$group::$case(&device).await;
                }
            )+)+
        }
    };
    (@native $module:ident, $device:expr, $($group:ident: $($case:ident)+),+) => {
        mod $module {
            use super::*;
            $($(
                #[test]
                fn $case() {
                    $crate::conformance::run($device, |device| {
                        $crate::block_on($crate::conformance::$group::$case(&device))
                    });
                }
            )+)+
        }
    };
}

/// Runs a case, or says why not.
pub fn run<D>(device: Result<D>, case: impl FnOnce(D)) {
    match device {
        Ok(device) => case(device),
        Err(error) if std::env::var_os("PQC_GPU_REQUIRE_DEVICES").is_none() => eprintln!("skipped: {error}"),
        Err(error) => panic!("PQC_GPU_REQUIRE_DEVICES is set, and {error}"),
    }
}

/// Reads device memory.
pub async fn read<D: Device>(device: &D, buffer: &D::Buffer, range: Range<u64>) -> Vec<u8> {
    let mut batch = device.batch();
    let id = device.copy_out(&mut batch, buffer, range);
    let fence = device.submit(batch).expect("submits");
    let reads = device.wait(fence).await.expect("reads");
    reads.bytes(id).expect("is there").to_vec()
}

/// Writes device memory.
pub async fn write<D: Device>(device: &D, buffer: &D::Buffer, offset: u64, bytes: &[u8]) {
    let step = device.info().slot_bytes as usize;
    for (i, part) in bytes.chunks(step).enumerate() {
        let mut batch = device.batch();
        let mut slot = device.slot().await.expect("a slot");
        slot.writers(&[part.len() as u64]).expect("fits")[0].write(0, part).expect("fits");
        let to = offset + (i * step) as u64;
        device.copy_in(&mut batch, slot, buffer, &[Part { from: 0, to, bytes: part.len() as u64 }]);
        let fence = device.submit(batch).expect("submits");
        device.wait(fence).await.expect("copies");
    }
}

/// Bytes that look like nothing, the same on every run.
pub fn noise(seed: u64, length: usize) -> Vec<u8> {
    // SplitMix64 (Steele, Lea, Flood 2014): fixed, quick, no dependency.
    let mut state = seed;
    let mut word = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    };
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        bytes.extend(word().to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}
