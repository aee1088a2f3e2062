use std::time::Duration;

use proptest::prelude::*;

use super::fake::{minutes, seconds};
use crate::entra::schedule::{refresh_in, retry_in};

#[test]
fn jitter_is_a_tenth_of_the_time_before_expiry() {
    assert_eq!(refresh_in(minutes(60), 0), minutes(55));
    let latest = refresh_in(minutes(60), u64::MAX);
    assert!(latest > minutes(55) + seconds(29) && latest <= minutes(55) + seconds(30));
    assert_eq!(refresh_in(seconds(1), 0), seconds(1));
}

#[test]
fn retry_waits_at_least_half_the_backoff() {
    let earliest = retry_in(4, u64::MAX);
    assert!(earliest >= seconds(4) && earliest < seconds(5));
    assert_eq!(retry_in(4, 0), seconds(8));
    assert_eq!(retry_in(u32::MAX, 0), seconds(30));
}

proptest! {
    #[test]
    fn token_is_replaced_before_it_expires(millis in 2_000_u64..1 << 40, draw: u64) {
        let valid_for = Duration::from_millis(millis);
        let wait = refresh_in(valid_for, draw);
        prop_assert!(wait < valid_for);
        prop_assert!(wait >= valid_for / 2);
        prop_assert!(valid_for - wait <= minutes(5));
    }

    #[test]
    fn retries_are_bounded(failures: u32, draw: u64) {
        let wait = retry_in(failures, draw);
        prop_assert!(wait >= Duration::from_millis(500) && wait <= seconds(30));
    }
}
