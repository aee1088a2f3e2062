//! Backends in tiers, and which of them takes a request now.

mod exhausted;
mod selected;
mod snapshot;
mod state;
#[cfg(test)]
mod tests;
mod tried;

use std::{collections::HashSet, fmt, sync::Arc, time::Duration};

use tokio::time::Instant;

use self::state::{Claim, State, Tick};
pub use self::{
    exhausted::Exhausted,
    selected::Selected,
    snapshot::{BackendSnapshot, Change, Condition},
    tried::Tried,
};
use crate::{Backend, InvalidPool};

/// Backends in tiers of equal priority, and what is known about each. Clones share it.
///
/// Everything here is lock-free, allocates nothing and takes a time proportional to the number of backends.
#[derive(Clone)]
pub struct Pool {
    inner: Arc<Inner>,
}

struct Inner {
    members: Box<[Member]>,
    /// Indices into `members`, best tier first; within a tier in the order of the list.
    tiers: Box<[Box<[usize]>]>,
    origin: Instant,
}

struct Member {
    backend: Backend,
    state: State,
}

impl Pool {
    /// The most backends that a pool holds.
    pub const MAX_BACKENDS: usize = Tried::CAPACITY;

    /// A pool of these backends, all open. Their order matters to [`Pool::first`] only.
    ///
    /// # Errors
    ///
    /// [`InvalidPool`] when there is no backend, more than [`MAX_BACKENDS`](Self::MAX_BACKENDS), or two with one label.
    pub fn new(backends: impl IntoIterator<Item = Backend>) -> Result<Self, InvalidPool> {
        let members: Box<[Member]> = backends.into_iter().map(Member::new).collect();
        if members.is_empty() {
            return Err(InvalidPool::Empty);
        }
        if members.len() > Self::MAX_BACKENDS {
            return Err(InvalidPool::TooMany);
        }
        let mut labels = HashSet::new();
        for Member { backend, .. } in &members {
            if !labels.insert(backend.label()) {
                return Err(InvalidPool::DuplicateLabel(backend.label().into()));
            }
        }
        Ok(Self {
            inner: Arc::new(Inner {
                tiers: tiers(&members),
                members,
                // Only the zero point of the clock inside: no decision depends on it.
                origin: Instant::now(),
            }),
        })
    }

    /// Chooses the backend for the next attempt of a request that has been at the `tried` ones.
    ///
    /// The best tier with an open backend serves; in it, `draw` (a uniform random number) chooses by weight. A failing
    /// backend whose cooldown is over counts as open for one request at a time, its probe. When nothing is open, a
    /// backend that is only failing is the last resort.
    ///
    /// The choice is not entered into `tried`: [`Tried::mark`] does that.
    ///
    /// # Errors
    ///
    /// [`Exhausted`] when every backend is throttled or was tried, with the time at which the first one opens.
    pub fn select(&self, tried: &Tried, now: Instant, draw: u64) -> Result<Selected, Exhausted> {
        let tick = self.tick(now);
        self.pick(tried, tick, draw, Claim::is_open)
            .or_else(|| self.pick(tried, tick, draw, Claim::is_possible))
            .ok_or_else(|| self.exhausted(now))
    }

    /// The first backend of the list, whatever its state: where a request goes that finds all of them closed and is to
    /// be forwarded all the same.
    #[must_use]
    pub fn first(&self, now: Instant) -> Selected {
        let state = &self.inner.members[0].state;
        let claim = state.claim(self.tick(now));
        Selected::new(self.clone(), 0, claim)
    }

    /// Whether [`select`](Self::select) would find a backend now.
    #[must_use]
    pub fn has_candidate(&self, tried: &Tried, now: Instant) -> bool {
        let tick = self.tick(now);
        let mut members = self.inner.members.iter().enumerate();
        members.any(|(index, member)| {
            !tried.contains(index) && Claim::is_possible(&member.state.claim(tick))
        })
    }

    /// What a request is told that no backend would take: when the first of them opens.
    #[must_use]
    pub fn exhausted(&self, now: Instant) -> Exhausted {
        let tick = self.tick(now);
        let closed_for = |member: &Member| member.state.closed_for(tick);
        let wait = self.inner.members.iter().map(closed_for).min();
        Exhausted::new(wait.unwrap_or(Duration::ZERO))
    }

    /// The state of every backend, in the order of the list.
    #[must_use]
    pub fn snapshot(&self, now: Instant) -> Vec<BackendSnapshot> {
        let tick = self.tick(now);
        let snapshot = |member: &Member| {
            BackendSnapshot::new(member.backend.clone(), member.state.condition(tick))
        };
        self.inner.members.iter().map(snapshot).collect()
    }

    /// The backends in the order of the list.
    pub fn backends(&self) -> impl ExactSizeIterator<Item = &Backend> {
        self.inner.members.iter().map(|member| &member.backend)
    }

    /// Whether both are clones of one pool.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }

    /// Draws from the first tier that has a backend of which `wanted` holds.
    fn pick(
        &self,
        tried: &Tried,
        tick: Tick,
        draw: u64,
        wanted: fn(&Claim) -> bool,
    ) -> Option<Selected> {
        self.inner
            .tiers
            .iter()
            .find_map(|tier| self.pick_in(tier, tried, tick, draw, wanted))
    }

    fn pick_in(
        &self,
        tier: &[usize],
        tried: &Tried,
        tick: Tick,
        draw: u64,
        wanted: fn(&Claim) -> bool,
    ) -> Option<Selected> {
        let candidate = |&index: &usize| {
            let member = &self.inner.members[index];
            let claim = member.state.claim(tick);
            let is_candidate = !tried.contains(index) && wanted(&claim);
            is_candidate.then_some((index, member, claim))
        };
        let weight = |member: &Member| u64::from(member.backend.weight());

        // Other requests change the state meanwhile: then what was counted is not what is found, and it is done again.
        loop {
            let total: u64 = tier
                .iter()
                .filter_map(candidate)
                .map(|(_, member, _)| weight(member))
                .sum();
            if total == 0 {
                return None;
            }
            let mut ticket = below(total, draw);
            for (index, member, claim) in tier.iter().filter_map(candidate) {
                match ticket.checked_sub(weight(member)) {
                    Some(rest) => ticket = rest,
                    None => match member.state.take(claim, tick) {
                        Some(claim) => return Some(Selected::new(self.clone(), index, claim)),
                        None => break,
                    },
                }
            }
        }
    }

    fn tick(&self, now: Instant) -> Tick {
        Tick::new(now, self.inner.origin)
    }

    fn member(&self, index: usize) -> &Member {
        &self.inner.members[index]
    }

    fn best_priority(&self) -> u32 {
        self.member(self.inner.tiers[0][0]).backend.priority()
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.backends()).finish()
    }
}

impl Member {
    fn new(backend: Backend) -> Self {
        Self {
            backend,
            state: State::default(),
        }
    }
}

fn tiers(members: &[Member]) -> Box<[Box<[usize]>]> {
    let priority = |&index: &usize| members[index].backend.priority();
    let mut order: Vec<usize> = (0..members.len()).collect();
    order.sort_by_key(priority);
    order
        .chunk_by(|a, b| priority(a) == priority(b))
        .map(Into::into)
        .collect()
}

/// Scales a uniform draw to `0..bound`. The bias is below `bound / 2^64`.
fn below(bound: u64, draw: u64) -> u64 {
    let scaled = (u128::from(draw) * u128::from(bound)) >> 64;
    u64::try_from(scaled).unwrap_or(0)
}
