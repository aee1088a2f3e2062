//! The recorded bytes of bodies, measured by the rest of the total budget.

use tokio_test::assert_pending;

use super::*;

/// The bytes charged for a chunk in addition to its data.
const OVERHEAD: usize = size_of::<Bytes>();

const TOTAL: usize = 10_000;

fn limits() -> ReplayLimits {
    ReplayLimits::default().total(TOTAL)
}

fn chunks(count: usize, chunk: &'static str) -> ScriptedBody {
    (0..count).fold(ScriptedBody::new(), |body, _| body.data(chunk))
}

#[test]
fn recording_is_charged_until_the_last_clone_is_dropped() {
    let limits = limits();
    let mut first = ReplayBody::new(chunks(2, "12345"), limits.clone());
    let second = first.clone();
    assert!(is_free(&limits, TOTAL));

    read_all(&mut first);
    let charged = 2 * (5 + OVERHEAD);
    assert!(is_free(&limits, TOTAL - charged) && !is_free(&limits, TOTAL - charged + 1));
    drop(first);
    assert!(!is_free(&limits, TOTAL));
    drop(second);
    assert!(is_free(&limits, TOTAL));
}

#[test]
fn body_without_another_clone_is_not_recorded() {
    let limits = limits();
    let mut only = ReplayBody::new(chunks(2, "12345"), limits.clone());
    read(&mut only);
    assert!(is_free(&limits, TOTAL));

    let mut first = ReplayBody::new(chunks(3, "12345"), limits.clone());
    let kept = first.clone();
    read(&mut first);
    drop(kept);
    assert!(!is_free(&limits, TOTAL));
    read(&mut first);
    assert!(is_free(&limits, TOTAL));
    assert_eq!(read_all(&mut first).0, ["12345"]);
}

#[test]
fn last_clone_reads_the_recording_to_its_end() {
    let mut first = ReplayBody::new(chunks(4, "12345"), limits());
    let mut second = first.clone();
    read(&mut first);
    read(&mut first);
    drop(first);
    assert_eq!(read_all(&mut second).0, ["12345"; 4]);
}

#[test]
fn body_above_the_limit_is_not_replayable() {
    let limits = limits().per_request(2 * (5 + OVERHEAD));
    let mut first = ReplayBody::new(chunks(3, "12345"), limits.clone());
    let mut second = first.clone();

    read(&mut first);
    read(&mut first);
    assert!(second.is_replayable());
    read(&mut first);
    assert!(!second.is_replayable());
    assert!(is_free(&limits, TOTAL));
    assert!(first.is_end_stream());

    let error = read_error(&mut second);
    assert!(!error.is_source() && !error.is_superseded());
    assert!(assert_ready!(poll(&mut second)).is_none());
}

#[test]
fn body_above_the_limit_streams_to_its_end() {
    let limits = limits().per_request(0);
    let source = chunks(2, "12345").pause().trailers(trailers());
    let handle = source.handle();
    let mut first = ReplayBody::new(source, limits);
    let _kept = first.clone();
    assert_eq!([read(&mut first), read(&mut first)], ["12345"; 2]);
    assert_pending!(poll(&mut first));
    handle.resume();
    assert_eq!(read_all(&mut first), (vec![], Some(trailers())));
}

#[test]
fn body_with_an_exact_size_above_the_limit_is_not_recorded() {
    let limits = limits().per_request(2999);
    let chunk = || vec![7; 1000];
    let body = ScriptedBody::new()
        .data(chunk())
        .data(chunk())
        .data(chunk());
    let mut first = ReplayBody::new(body.with_exact_size(), limits.clone());
    let mut second = first.clone();
    // The body stays replayable until it is read.
    assert!(second.is_replayable());

    read(&mut first);
    assert!(is_free(&limits, TOTAL));
    assert!(!second.is_replayable());
    assert_eq!(read_all(&mut first).0, [chunk(), chunk()]);
    read_error(&mut second);
}

#[test]
fn body_above_the_limit_can_be_sent_by_the_first_clone_that_reads_it() {
    let limits = limits().per_request(0);
    let mut first = ReplayBody::new(chunks(3, "12345").with_exact_size(), limits);
    let mut second = first.clone();
    assert!(second.is_replayable());
    assert_eq!(read_all(&mut second).0, ["12345"; 3]);
    assert!(read_error(&mut first).is_superseded());
}

#[test]
fn clone_that_cannot_be_read_does_not_supersede_the_reader() {
    let mut first = ReplayBody::new(chunks(3, "12345"), limits().per_request(0));
    let mut second = first.clone();
    read(&mut first);
    assert!(!second.take_over());
    read_error(&mut second);
    assert_eq!(read_all(&mut first).0, ["12345"; 2]);
}

#[test]
fn recordings_of_all_requests_together_are_limited() {
    let charge = 5 + OVERHEAD;
    let limits = ReplayLimits::default().total(charge);
    let body = || ReplayBody::new(chunks(1, "12345"), limits.clone());
    let (mut one, mut two, mut three) = (body(), body(), body());
    let (one_kept, two_kept, three_kept) = (one.clone(), two.clone(), three.clone());

    read(&mut one);
    read(&mut two);
    assert!(one_kept.is_replayable() && !two_kept.is_replayable());
    drop((one, one_kept));
    read(&mut three);
    assert!(three_kept.is_replayable());
}

#[test]
fn clones_of_the_limits_share_the_total() {
    let limits = limits();
    let other = self::limits();
    let mut first = ReplayBody::new(chunks(1, "12345"), limits.clone().per_request(100));
    let _kept = first.clone();
    read(&mut first);
    assert!(!is_free(&limits, TOTAL));
    assert!(is_free(&other, TOTAL));
}

#[test]
fn tiny_chunks_are_charged_with_their_overhead() {
    for limits in [limits(), ReplayLimits::default().per_request(TOTAL)] {
        let mut first = ReplayBody::new(chunks(TOTAL, "1"), limits);
        let second = first.clone();
        let mut recorded = 0;
        while second.is_replayable() {
            read(&mut first);
            recorded += 1;
        }
        assert_eq!(recorded - 1, TOTAL / (1 + OVERHEAD));
    }
}

#[test]
fn empty_chunks_are_charged_with_their_overhead() {
    let limits = limits();
    let recorded = TOTAL / OVERHEAD;
    let mut first = ReplayBody::new(chunks(recorded + 1, ""), limits.clone());
    let _kept = first.clone();
    for _ in 0..recorded {
        read(&mut first);
    }
    assert!(!is_free(&limits, OVERHEAD));
    read(&mut first);
    assert!(is_free(&limits, TOTAL));
}
