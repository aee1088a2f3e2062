use std::{collections::VecDeque, time::Duration};

/// The amount spent in the current window.
#[derive(Clone, Debug)]
pub(super) struct Window {
    used: u64,
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    Fixed { phase: Duration, index: i128 },
    Sliding { spent: VecDeque<(Duration, u64)> },
}

impl Window {
    pub(super) fn fixed(phase: Duration) -> Self {
        let index = i128::MIN;
        Self {
            used: 0,
            kind: Kind::Fixed { phase, index },
        }
    }

    pub(super) fn sliding() -> Self {
        let spent = VecDeque::new();
        Self {
            used: 0,
            kind: Kind::Sliding { spent },
        }
    }

    /// Returns the time until `cost` fits under `limit`; `None` if it fits now. An empty window accepts any cost.
    pub(super) fn wait(
        &mut self,
        now: Duration,
        width: Duration,
        cost: u64,
        limit: u64,
    ) -> Option<Duration> {
        self.expire(now, width);
        let fits = |used: u64| used == 0 || used.saturating_add(cost) <= limit;
        if fits(self.used) {
            return None;
        }
        match &self.kind {
            Kind::Fixed { phase, .. } => {
                let into = (nanos(now) - nanos(*phase)).rem_euclid(nanos(width));
                let left = u64::try_from(nanos(width) - into).unwrap_or(u64::MAX);
                Some(Duration::from_nanos(left))
            }
            Kind::Sliding { spent } => {
                let mut used = self.used;
                let freed = spent.iter().find(|(_, cost)| {
                    used = used.saturating_sub(*cost);
                    fits(used)
                });
                freed.map(|(at, _)| (*at + width).saturating_sub(now))
            }
        }
    }

    pub(super) fn spend(&mut self, now: Duration, cost: u64) {
        self.used = self.used.saturating_add(cost);
        if let Kind::Sliding { spent } = &mut self.kind {
            spent.push_back((now, cost));
        }
    }

    /// Returns the amount at the latest [`wait`](Self::wait).
    pub(super) fn used(&self) -> u64 {
        self.used
    }

    fn expire(&mut self, now: Duration, width: Duration) {
        match &mut self.kind {
            Kind::Fixed { phase, index } => {
                let current = (nanos(now) - nanos(*phase)).div_euclid(nanos(width));
                if current > *index {
                    *index = current;
                    self.used = 0;
                }
            }
            Kind::Sliding { spent } => {
                while let Some(&(at, cost)) = spent.front()
                    && at + width <= now
                {
                    self.used = self.used.saturating_sub(cost);
                    spent.pop_front();
                }
            }
        }
    }
}

fn nanos(duration: Duration) -> i128 {
    i128::try_from(duration.as_nanos()).unwrap_or(i128::MAX)
}
