use std::time::Duration;

use tokio::time::Instant;

/// An instant in nanoseconds. The first pool was built at [`Tick::ORIGIN`]. Never zero, which means "no deadline".
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Tick(u64);

impl Tick {
    /// The origin is centuries away from both ends, so that earlier instants differ as well.
    const ORIGIN: u64 = 1 << 62;

    pub(super) fn new(now: Instant, origin: Instant) -> Self {
        let tick = match now.checked_duration_since(origin) {
            Some(after) => Self::ORIGIN.saturating_add(nanos(after)),
            None => Self::ORIGIN.saturating_sub(nanos(origin.saturating_duration_since(now))),
        };
        Self(tick.max(1))
    }

    /// Returns the tick with this number. Zero is no tick.
    pub(super) fn from_bits(bits: u64) -> Option<Self> {
        (bits != 0).then_some(Self(bits))
    }

    pub(super) fn get(self) -> u64 {
        self.0
    }

    pub(super) fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(nanos(duration)))
    }

    /// Returns the time until a deadline. Zero if it is over.
    pub(super) fn until(self, deadline: u64) -> Duration {
        Duration::from_nanos(deadline.saturating_sub(self.0))
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
