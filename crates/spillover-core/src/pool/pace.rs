//! The pace at which waiting requests go to a backend that was closed.

use std::time::Duration;

use tokio::time::Instant;

/// A pace in steps of 50 ms. One request is released in each of the first two steps, then twice as many in each step as
/// in the one before: 1, 1, 2, 4, ...
///
/// A backend at its limit takes one request and refuses the second, which shows before many more are released. A
/// backend with room for many gets a thousand within half a second.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pace {
    /// The beginning of the step; `None` before the first.
    begun: Option<Instant>,
    steps: u32,
    /// The number of requests that may still be released in this step.
    left: u32,
}

impl Pace {
    /// Returns the instant at which the next request may be released. `None` means now.
    pub(super) fn next(&self, now: Instant) -> Option<Instant> {
        let next = self.begun? + STEP;
        (self.left == 0 && now < next).then_some(next)
    }

    /// Counts a released request.
    pub(super) fn count(&mut self, now: Instant) {
        let is_over = self.begun.is_none_or(|begun| now >= begun + STEP);
        if !is_over && self.left > 0 {
            self.left -= 1;
            return;
        }
        self.begun = Some(now);
        self.left = 1_u32
            .checked_shl(self.steps.saturating_sub(1))
            .map_or(u32::MAX, |size| size - 1);
        self.steps = self.steps.saturating_add(1);
    }
}

/// The length of a step: about as long as a refusal takes to come back.
const STEP: Duration = Duration::from_millis(50);

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the number of requests released within so many milliseconds, if all ask as soon as they may.
    fn let_go(ms: u64) -> usize {
        let start = Instant::now();
        let end = start + Duration::from_millis(ms);
        let (mut pace, mut now, mut count) = (Pace::default(), start, 0);
        while now < end {
            match pace.next(now) {
                Some(next) => now = next,
                None => {
                    pace.count(now);
                    count += 1;
                }
            }
        }
        count
    }

    #[test]
    fn twice_as_many_are_let_go_in_each_step_after_the_second() {
        let steps = [1, 2, 4, 8, 16, 32];
        for (step, total) in (1..).zip(steps) {
            assert_eq!(let_go(50 * step), total, "{step}");
        }
        assert!(let_go(550) > 1000);
    }
}
