use std::cmp::Ordering;

use super::{Candidate, Candidates, Strategy};

/// Sends more to what answers sooner: of two candidates that are drawn by weight, the one with the lower
/// `latency x (in flight + 1) / weight` gets the request.
///
/// Two are enough to keep clear of the slowest, and unlike the best of all, which every request would choose until its
/// latency is known to have risen, they do not draw a crowd. The latency is a moving average that follows a rise at once
/// and a fall slowly ([`Candidate::latency`]); the idea is that of Finagle's balancer and of
/// [`tower::load::PeakEwma`](https://docs.rs/tower/latest/tower/load/struct.PeakEwma.html).
///
/// A candidate whose latency is not known is explored: by one request at a time, as it is preferred as long as it has none
/// in flight, and while it has, the two are compared by their number alone.
///
/// Refusals, failures and requests given up do not lower the latency, however fast they are.
///
/// The latency is the time from the choice to the head of the answer. The time that a client takes to send its request is a
/// part of that, and so is all of the work if an answer is not streamed. It tells backends apart that serve the same requests.
#[derive(Clone, Copy, Debug, Default)]
pub struct PeakEwma {
    _priv: (),
}

impl Strategy for PeakEwma {
    fn choose(&self, candidates: &Candidates<'_>, draw: u64) -> usize {
        let first = candidates.by_weight(draw);
        // The one draw is enough for both: the halves of a uniform number are independent of each other.
        let others = candidates.without(first);
        let second = others.by_weight(draw.rotate_left(32));
        match (candidates.get(first), others.get(second)) {
            (Some(a), Some(b)) if compare(&a, &b) == Ordering::Greater => second,
            _ => first,
        }
    }
}

/// The one that is to be preferred is less.
fn compare(a: &Candidate<'_>, b: &Candidate<'_>) -> Ordering {
    let (a_in_flight, b_in_flight) = (a.in_flight(), b.in_flight());
    let load = |candidate: &Candidate<'_>, in_flight| {
        (f64::from(in_flight) + 1.0) / f64::from(candidate.weight())
    };
    let (a_load, b_load) = (load(a, a_in_flight), load(b, b_in_flight));
    match (a.latency(), b.latency()) {
        (Some(a), Some(b)) => (a.as_secs_f64() * a_load).total_cmp(&(b.as_secs_f64() * b_load)),
        (None, Some(_)) if a_in_flight == 0 => Ordering::Less,
        (Some(_), None) if b_in_flight == 0 => Ordering::Greater,
        _ => a_load.total_cmp(&b_load),
    }
}
