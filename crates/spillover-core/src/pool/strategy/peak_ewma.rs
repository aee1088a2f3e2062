use std::cmp::Ordering;

use super::{Candidate, Candidates, Strategy};

/// Sends more requests to faster backends: of two candidates that are drawn by weight, the one with the lower `latency
/// x (in flight + 1) / weight` gets the request.
///
/// Two candidates are enough to avoid the slowest. If all were compared, every request would choose the best one until
/// its latency is known to have risen. The latency is a moving average that follows a rise at once and a fall slowly
/// ([`Candidate::latency`]); the idea is that of Finagle's balancer and of
/// [`tower::load::PeakEwma`](https://docs.rs/tower/latest/tower/load/struct.PeakEwma.html).
///
/// A candidate of unknown latency is explored by one request at a time. Such a candidate is preferred while it has no
/// request in flight. While it has one, the two are compared by their number of requests in flight alone.
///
/// Refusals, failures and requests given up do not lower the latency, however fast they are.
///
/// The latency is the time from the choice to the head of the response. It includes the time in which a client sends
/// its request, and all of the work for a response that is not streamed. Latencies are comparable for backends that
/// serve the same requests.
#[derive(Clone, Copy, Debug, Default)]
pub struct PeakEwma {
    _priv: (),
}

impl Strategy for PeakEwma {
    fn choose(&self, candidates: &Candidates<'_>, draw: u64) -> usize {
        let first = candidates.by_weight(draw);
        // One draw is enough for both, because the halves of a uniform number are independent.
        let others = candidates.without(first);
        let second = others.by_weight(draw.rotate_left(32));
        match (candidates.get(first), others.get(second)) {
            (Some(a), Some(b)) if compare(&a, &b) == Ordering::Greater => second,
            _ => first,
        }
    }
}

/// Orders candidates; the preferred one is less.
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
