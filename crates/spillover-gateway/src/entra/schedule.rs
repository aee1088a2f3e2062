//! When the next token is asked for.

use std::time::Duration;

/// How long after it came a token is to be replaced.
pub(super) fn refresh_in(valid_for: Duration, draw: u64) -> Duration {
    let ahead = AHEAD.min(valid_for / 2);
    // Only ever later than that: `azure_identity` answers from its cache until five minutes before expiry.
    let ahead = ahead.mul_f64(1.0 - 0.1 * fraction(draw));
    valid_for.saturating_sub(ahead).max(SHORTEST)
}

/// How long to wait after this many failures in a row.
pub(super) fn retry_in(failures: u32, draw: u64) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    let longest = SHORTEST.saturating_mul(1 << doublings).min(LONGEST);
    longest.mul_f64(1.0 - 0.5 * fraction(draw))
}

/// From 0 to less than 1.
fn fraction(draw: u64) -> f64 {
    (draw >> 11) as f64 / (1_u64 << 53) as f64
}

const AHEAD: Duration = Duration::from_secs(5 * 60);

/// Spares an endpoint whose tokens are all but expired.
const SHORTEST: Duration = Duration::from_secs(1);

/// An endpoint that is back is noticed within this time.
const LONGEST: Duration = Duration::from_secs(30);
