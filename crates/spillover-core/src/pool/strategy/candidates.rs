use std::{fmt, time::Duration};

use super::super::{Inner, index_set::IndexSet, member::Member, tick::Tick};
use crate::Backend;

/// The backends of one tier that would take a request now; at least one.
pub struct Candidates<'a> {
    pool: &'a Inner,
    tier: &'a [usize],
    indices: IndexSet,
    weight: u64,
    now: Tick,
}

/// A backend that would take a request now. Its methods read the state at the time of the call.
#[derive(Clone, Copy)]
pub struct Candidate<'a> {
    index: usize,
    member: &'a Member,
    now: Tick,
}

impl<'a> Candidates<'a> {
    /// Creates the candidates of a tier that pass the test; `None` if none does.
    pub(in super::super) fn new(
        pool: &'a Inner,
        tier: &'a [usize],
        now: Tick,
        is_candidate: impl Fn(usize, &Member) -> bool,
    ) -> Option<Self> {
        let mut candidates = Self {
            pool,
            tier,
            indices: IndexSet::default(),
            weight: 0,
            now,
        };
        for &index in tier {
            let member = &pool.members[index];
            if is_candidate(index, member) {
                candidates.indices.insert(index);
                candidates.weight += weight(member);
            }
        }
        (candidates.weight != 0).then_some(candidates)
    }

    /// Returns the candidates in the order of the list.
    pub fn iter(&self) -> impl Iterator<Item = Candidate<'a>> {
        let indices = self.tier.iter().copied();
        indices.filter_map(|index| self.get(index))
    }

    /// Returns the candidate with this [index](Candidate::index).
    #[must_use]
    pub fn get(&self, index: usize) -> Option<Candidate<'a>> {
        self.indices.contains(index).then(|| Candidate {
            index,
            member: &self.pool.members[index],
            now: self.now,
        })
    }

    /// Returns the index of the candidate on which a uniform random number falls if each has a share by its weight.
    #[must_use]
    pub fn by_weight(&self, draw: u64) -> usize {
        let mut ticket = below(self.weight, draw);
        let mut indices = self.tier.iter().copied();
        let drawn = indices.find(|&index| {
            if !self.indices.contains(index) {
                return false;
            }
            match ticket.checked_sub(weight(&self.pool.members[index])) {
                Some(rest) => {
                    ticket = rest;
                    false
                }
                None => true,
            }
        });
        // No candidate is drawn only if all were left out.
        drawn.unwrap_or(usize::MAX)
    }

    /// Returns the other candidates, which may be none.
    pub(super) fn without(&self, index: usize) -> Self {
        let mut others = Self { ..*self };
        if let Some(candidate) = self.get(index) {
            others.indices.remove(index);
            others.weight -= weight(candidate.member);
        }
        others
    }
}

impl<'a> Candidate<'a> {
    /// Returns the position of the backend in the list of the pool.
    #[must_use]
    pub fn index(&self) -> usize {
        self.index
    }

    /// Returns the backend.
    #[must_use]
    pub fn backend(&self) -> &'a Backend {
        &self.member.backend
    }

    /// Returns the share of the backend in the tier; at least 1.
    #[must_use]
    pub fn weight(&self) -> u32 {
        self.member.backend.weight()
    }

    /// Returns the number of requests in flight at the backend.
    #[must_use]
    pub fn in_flight(&self) -> u32 {
        self.member.state.in_flight()
    }

    /// Returns the time that the backend takes to begin its answers: a moving average that follows a rise at once and a fall slowly. `None` when
    /// that is not known, or has not been for long.
    #[must_use]
    pub fn latency(&self) -> Option<Duration> {
        self.member.state.latency(self.now)
    }

    pub(in super::super) fn member(&self) -> &'a Member {
        self.member
    }
}

impl fmt::Debug for Candidates<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl fmt::Debug for Candidate<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Candidate")
            .field("backend", &self.backend().label())
            .field("in_flight", &self.in_flight())
            .field("latency", &self.latency())
            .finish_non_exhaustive()
    }
}

fn weight(member: &Member) -> u64 {
    u64::from(member.backend.weight())
}

/// Scales a uniform draw to `0..bound`. The bias is below `bound / 2^64`.
fn below(bound: u64, draw: u64) -> u64 {
    let scaled = (u128::from(draw) * u128::from(bound)) >> 64;
    u64::try_from(scaled).unwrap_or(0)
}
