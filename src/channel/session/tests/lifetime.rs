//! A session ends by the monotonic clock or the wall clock, whichever is first, and no clock brings it back.

use super::*;

const SECOND: Duration = Duration::from_secs(1);
const TIME_TO_LIVE: Duration = Duration::from_secs(TTL as u64);
const NEARLY: Duration = Duration::from_nanos(1);

#[test]
fn both_ends_live_until_their_time_is_over() {
    let Pair { host, device, clock } = pair(64);
    clock.advance(TIME_TO_LIVE - NEARLY);
    send(&host, &device, 5, 0);
    send(&device, &host, 5, 1);
    clock.advance(NEARLY);
    assert!(!host.is_valid() && !device.is_valid());
    assert_over(&host, &Error::ChannelExpired);
    assert_over(&device, &Error::ChannelExpired);
}

#[test]
fn either_clock_ends_it() {
    let ends: [fn(&mut Timestamp); 4] = [
        |now| now.monotonic += TIME_TO_LIVE,
        |now| now.wall += TIME_TO_LIVE,
        // A wall clock turned back as far as it may does not lengthen a life measured by the other clock.
        |now| (now.monotonic, now.wall) = (now.monotonic + TIME_TO_LIVE, now.wall - 2 * SECOND),
        |now| (now.monotonic, now.wall) = (Duration::ZERO, now.wall + TIME_TO_LIVE),
    ];
    for change in ends {
        let Pair { host, clock, .. } = pair(64);
        clock.change(change);
        assert_over(&host, &Error::ChannelExpired);
    }
    let extremes: [fn(&mut Timestamp); 2] = [|now| now.monotonic = Duration::MAX, |now| now.wall = Duration::MAX];
    for change in extremes {
        let Pair { host, clock, .. } = pair(64);
        clock.change(change);
        assert_over(&host, &Error::ChannelExpired);
    }
}

#[test]
fn small_corrections_of_the_wall_clock_are_tolerated() {
    let Pair { host, device, clock } = pair(64);
    clock.change(|now| now.wall -= 2 * SECOND);
    send(&host, &device, 5, 0);
    clock.change(|now| now.wall += 10 * SECOND);
    send(&host, &device, 5, 1);
    clock.change(|now| now.wall -= 2 * SECOND);
    send(&host, &device, 5, 2);
    // Two more from here would be four from the latest reading: corrections do not add up.
    clock.change(|now| now.wall -= NEARLY);
    assert_over(&host, &Error::ClockWentBackward);
}

#[test]
fn a_wall_clock_turned_back_ends_it_for_good() {
    for back in [2 * SECOND + NEARLY, 3600 * SECOND, Duration::from_secs(1_800_000_000)] {
        let Pair { host, device, clock } = pair(64);
        clock.change(|now| now.wall -= back);
        assert!(!host.is_valid());
        assert_over(&host, &Error::ClockWentBackward);
        clock.change(|now| now.wall += back);
        assert_over(&host, &Error::ClockWentBackward);
        assert!(device.is_valid(), "an end that did not look meanwhile has seen nothing");
    }
}

#[test]
fn an_expired_session_is_not_revived() {
    let Pair { host, clock, .. } = pair(64);
    clock.advance(TIME_TO_LIVE);
    assert!(!host.is_valid());
    clock.change(|now| (now.monotonic, now.wall) = (now.monotonic - TIME_TO_LIVE, now.wall - TIME_TO_LIVE));
    assert_over(&host, &Error::ChannelExpired);
}

#[test]
fn what_was_reserved_in_time_is_not_released_after_it() {
    let Pair { host, device, clock } = pair(64);
    let tensor = sealed(&host, 5, 0).unwrap();
    let mut pending = reserve(&device, &tensor).unwrap();
    clock.advance(TIME_TO_LIVE);
    assert_eq!(pending.commit(Verdict::Verified), Err(Error::ChannelExpired));
    assert_over(&device, &Error::ChannelExpired);
    assert!(pending.commit(Verdict::Verified).is_err());

    let Pair { host, device, clock } = pair(64);
    let tensor = sealed(&host, 5, 0).unwrap();
    let pending = reserve(&device, &tensor).unwrap();
    clock.change(|now| now.wall -= 3 * SECOND);
    assert_eq!(pending.open(tensor.body()), Err(Error::ClockWentBackward));
    assert_over(&device, &Error::ClockWentBackward);
}

#[test]
fn a_failure_does_not_stop_the_clock_for_those_before_it() {
    let Pair { host, device, clock } = pair(64);
    let tensors: Vec<_> = (0..3).map(|salt| sealed(&host, 5, salt).unwrap()).collect();
    let mut pending: Vec<_> = tensors.iter().map(|tensor| reserve(&device, tensor).unwrap()).collect();
    assert_eq!(pending[2].commit(Verdict::Failed), Err(Error::Decryption));
    assert_eq!(pending[0].commit(Verdict::Verified), Ok(()));
    clock.advance(TIME_TO_LIVE);
    assert_eq!(pending[1].commit(Verdict::Verified), Err(Error::ChannelExpired));
    clock.change(|now| (now.monotonic, now.wall) = (now.monotonic - TIME_TO_LIVE, now.wall - TIME_TO_LIVE));
    assert!(pending[1].commit(Verdict::Verified).is_err(), "nor is one of them revived");
}

#[test]
fn a_seal_begun_in_time_does_not_finish_after_it() {
    let Pair { host, clock, .. } = pair(64);
    let mut sealing = host.seal(&metadata(1)).unwrap();
    sealing.next_piece(1).unwrap().seal(&[0], &mut [0; 17]).unwrap();
    clock.advance(TIME_TO_LIVE);
    assert_eq!(sealing.finish(), Err(Error::ChannelExpired));
}
