//! Times between two calls of a token source.

use std::time::Duration;

/// Returns the time after which a token is replaced: about five minutes before it expires, or at half its lifetime if that is
/// shorter. For example, a token of one hour is replaced after 55 to 55.5 minutes.
pub(super) fn refresh_in(valid_for: Duration, draw: u64) -> Duration {
    let ahead = AHEAD.min(valid_for / 2);
    // Jitter makes the call later and never earlier: `azure_identity` answers from its cache until five minutes before expiry.
    let ahead = ahead.mul_f64(1.0 - 0.1 * fraction(draw));
    valid_for.saturating_sub(ahead).max(SHORTEST)
}

/// Returns the time to wait after `failures` consecutive failures: doubling from 1 s up to 30 s, less up to half of it.
pub(super) fn retry_in(failures: u32, draw: u64) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    let longest = SHORTEST.saturating_mul(1 << doublings).min(LONGEST);
    longest.mul_f64(1.0 - 0.5 * fraction(draw))
}

/// Maps a random number to the range from 0 to less than 1.
fn fraction(draw: u64) -> f64 {
    (draw >> 11) as f64 / (1_u64 << 53) as f64
}

const AHEAD: Duration = Duration::from_secs(5 * 60);

/// Shortest time between two calls, for sources whose tokens have almost expired.
const SHORTEST: Duration = Duration::from_secs(1);

/// Longest time between two calls, so that a recovered endpoint is noticed.
const LONGEST: Duration = Duration::from_secs(30);
