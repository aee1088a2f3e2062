use std::{ops::RangeInclusive, time::Duration};

use super::Check;
use crate::config::{
    file::Path,
    value::{Limit, Size, Time},
};

impl Check<'_> {
    /// A timeout: nobody waits for less than a millisecond, or for more than a day.
    pub(super) fn timeout(&mut self, path: &Path, Time(time): Time) -> Duration {
        if !(Duration::from_millis(1)..=DAY).contains(&time) {
            self.expected(path, "a duration from 1ms to 24h");
        }
        time
    }

    pub(super) fn timeout_or_off(&mut self, path: &Path, time: Limit<Time>) -> Option<Duration> {
        time.get().map(|time| self.timeout(path, time))
    }

    /// A time that may be none at all.
    pub(super) fn pause(&mut self, path: &Path, Time(time): Time) -> Duration {
        if time > DAY {
            self.expected(path, "a duration from 0s to 24h");
        }
        time
    }

    /// For a quota, which may be of a month.
    pub(super) fn long_pause(&mut self, path: &Path, Time(time): Time) -> Duration {
        if time > 31 * DAY {
            self.expected(path, "a duration from 0s to 31days");
        }
        time
    }

    pub(super) fn bytes(&mut self, path: &Path, Size(bytes): Size) -> usize {
        usize::try_from(bytes).unwrap_or_else(|_| {
            self.expected(path, "a size that this machine can address");
            usize::MAX
        })
    }

    pub(super) fn within<T: PartialOrd>(
        &mut self,
        path: &Path,
        value: T,
        range: &RangeInclusive<T>,
        expected: &'static str,
    ) -> T {
        if !range.contains(&value) {
            self.expected(path, expected);
        }
        value
    }
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
