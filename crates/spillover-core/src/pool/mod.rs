//! Backends in tiers, and which of them takes a request now.

mod cause;
mod counts;
mod deadlines;
mod exhausted;
mod failing;
mod index_set;
mod limits;
mod scope;
mod selected;
mod snapshot;
mod state;
mod sync;
#[cfg(test)]
mod tests;
mod throttles;
mod tick;
mod tried;

use std::{collections::HashSet, fmt, sync::Arc, time::Duration};

use tokio::time::Instant;

pub use self::{
    cause::Cause,
    counts::Counts,
    exhausted::Exhausted,
    scope::Scope,
    selected::Selected,
    snapshot::{BackendSnapshot, Change, Condition},
    tried::Tried,
};
use self::{
    index_set::IndexSet,
    state::{Access, Claim, State},
    tick::Tick,
};
use crate::{Backend, Credential, InvalidPool};

/// Backends in tiers of equal priority, and what is known about each. Clones share it.
///
/// To choose takes no lock and no allocation, and a time proportional to the number of backends. To note a refusal takes a
/// lock of that backend for a moment.
#[derive(Clone)]
pub struct Pool {
    inner: Arc<Inner>,
}

struct Inner {
    members: Box<[Member]>,
    /// Indices into `members`, best tier first; within a tier in the order of the list.
    tiers: Box<[Box<[usize]>]>,
    forwards_credentials: bool,
    origin: Instant,
}

struct Member {
    backend: Backend,
    deployment: Option<Scope>,
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
                forwards_credentials: members.iter().any(|m| m.backend.credential().is_none()),
                members,
                // Only the zero point of the clock inside: no decision depends on it.
                origin: Instant::now(),
            }),
        })
    }

    /// Chooses the backend for the next attempt of a request that has been at the `tried` ones.
    ///
    /// The best tier with a backend that is open for the scope serves; in it, `draw` (a uniform random number) chooses by
    /// weight. A failing backend whose cooldown is over counts as open for one request at a time, its probe. When nothing
    /// is open, a backend that is only failing is the last resort.
    ///
    /// The choice is not entered into `tried`: [`Tried::mark`] does that.
    ///
    /// # Errors
    ///
    /// [`Exhausted`] when every backend is throttled or was tried, with the time at which the first one opens.
    pub fn select(
        &self,
        tried: &Tried,
        scope: Scope,
        now: Instant,
        draw: u64,
    ) -> Result<Selected, Exhausted> {
        let tick = self.tick(now);
        let pick = |access| self.pick(tried, scope, access, tick, draw);
        pick(Access::Open)
            .or_else(|| pick(Access::LastResort))
            .ok_or_else(|| self.exhausted(scope, now))
    }

    /// The first backend of the list, whatever its state: where a request goes that finds all of them closed and is to
    /// be forwarded all the same.
    #[must_use]
    pub fn first(&self, scope: Scope, now: Instant) -> Selected {
        let member = self.member(0);
        let claim = member.hold(scope, self.tick(now));
        Selected::new(self.clone(), 0, scope, claim)
    }

    /// Whether [`select`](Self::select) would find a backend now.
    #[must_use]
    pub fn has_candidate(&self, tried: &Tried, scope: Scope, now: Instant) -> bool {
        let tick = self.tick(now);
        let mut members = self.inner.members.iter().enumerate();
        members.any(|(index, member)| {
            !tried.contains(index) && member.access(scope, tick) != Access::Throttled
        })
    }

    /// What a request of this scope is told that no backend would take: when the first of them opens, and why it is closed.
    #[must_use]
    pub fn exhausted(&self, scope: Scope, now: Instant) -> Exhausted {
        let tick = self.tick(now);
        let members = self.inner.members.iter();
        let first = members
            .map(|member| (member.closed_for(scope, tick), member))
            .min_by_key(|(closed_for, _)| *closed_for);
        match first {
            Some((wait, member)) if !wait.is_zero() => {
                Exhausted::new(wait, member.cause(scope, tick))
            }
            _ => Exhausted::new(Duration::ZERO, None),
        }
    }

    /// The state of every backend as a request of this scope would find it, in the order of the list.
    #[must_use]
    pub fn snapshot(&self, scope: Scope, now: Instant) -> Vec<BackendSnapshot> {
        let tick = self.tick(now);
        let members = self.inner.members.iter();
        members.map(|member| member.snapshot(scope, tick)).collect()
    }

    /// The backends in the order of the list.
    pub fn backends(&self) -> impl ExactSizeIterator<Item = &Backend> {
        self.inner.members.iter().map(|member| &member.backend)
    }

    /// Whether a backend gets the clients' own credentials: then [`Scope::of_client`] tells them apart.
    #[must_use]
    pub fn forwards_credentials(&self) -> bool {
        self.inner.forwards_credentials
    }

    /// Whether both are clones of one pool.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }

    /// Draws from the first tier that has a backend with this access, or a better one.
    fn pick(
        &self,
        tried: &Tried,
        scope: Scope,
        access: Access,
        tick: Tick,
        draw: u64,
    ) -> Option<Selected> {
        let mut tiers = self.inner.tiers.iter();
        tiers.find_map(|tier| self.pick_in(tier, tried, scope, access, tick, draw))
    }

    fn pick_in(
        &self,
        tier: &[usize],
        tried: &Tried,
        scope: Scope,
        access: Access,
        tick: Tick,
        draw: u64,
    ) -> Option<Selected> {
        let weight = |member: &Member| u64::from(member.backend.weight());
        // A candidate that another request took meanwhile is none any more: then the draw is made again.
        loop {
            let mut candidates = IndexSet::default();
            let mut total = 0;
            for &index in tier {
                let member = self.member(index);
                if !tried.contains(index) && member.access(scope, tick) <= access {
                    candidates.insert(index);
                    total += weight(member);
                }
            }
            if total == 0 {
                return None;
            }

            let mut ticket = below(total, draw);
            let mut drawn = tier.iter().filter(|&&index| candidates.contains(index));
            let index =
                *drawn.find(
                    |&&index| match ticket.checked_sub(weight(self.member(index))) {
                        Some(rest) => {
                            ticket = rest;
                            false
                        }
                        None => true,
                    },
                )?;
            if let Some(claim) = self.member(index).take(scope, access, tick) {
                return Some(Selected::new(self.clone(), index, scope, claim));
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
            deployment: backend.deployment().map(Scope::of),
            backend,
            state: State::default(),
        }
    }

    /// What the scope of a request is here.
    fn scope(&self, scope: Scope) -> Scope {
        let has_credential = self.backend.credential().is_some();
        scope.at(has_credential, self.deployment)
    }

    fn access(&self, scope: Scope, now: Tick) -> Access {
        self.state.access(self.scope(scope), now)
    }

    fn take(&self, scope: Scope, access: Access, now: Tick) -> Option<Claim> {
        self.state.take(self.scope(scope), access, now)
    }

    fn hold(&self, scope: Scope, now: Tick) -> Claim {
        self.state.hold(self.scope(scope), now)
    }

    fn closed_for(&self, scope: Scope, now: Tick) -> Duration {
        self.state.closed_for(self.scope(scope), now)
    }

    fn cause(&self, scope: Scope, now: Tick) -> Option<Cause> {
        self.state.cause(self.scope(scope), now)
    }

    fn snapshot(&self, scope: Scope, now: Tick) -> BackendSnapshot {
        let scope = self.scope(scope);
        let condition = self.state.condition(scope, now);
        let cause = match condition {
            Condition::Open => None,
            _ => self.state.cause(scope, now),
        };
        BackendSnapshot::new(self.backend.clone(), condition, cause, self.state.counts())
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
