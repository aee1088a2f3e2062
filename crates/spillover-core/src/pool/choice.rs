//! The choice of a backend for a request.

use std::ops::Range;

use super::{
    Candidates, Pool, Query, Selected, Strategy, Weighted,
    affinity::{Affinity, Target},
    index_set::IndexSet,
    member::Member,
    rendezvous,
    state::Access,
    tick::Tick,
};

/// The meaning of a request's affinity in one pool.
enum Aim {
    /// Any backend.
    Any,
    /// The backend that has this key.
    Key(u64),
    /// This backend, if it is open.
    First(usize),
    /// This backend or none.
    Only(usize),
}

/// Chooses the backend that has the key with this hash.
struct Rendezvous(u64);

impl Strategy for Rendezvous {
    fn choose(&self, candidates: &Candidates<'_>, _: u64) -> usize {
        let candidates = candidates.iter();
        let scored = candidates.map(|candidate| scored(candidate.index(), candidate.member()));
        rendezvous::winner(self.0, scored).unwrap_or(usize::MAX)
    }
}

fn scored(index: usize, member: &Member) -> (usize, u64, u32) {
    (index, member.label_hash, member.backend.weight())
}

impl Pool {
    pub(super) fn choose(&self, query: &Query<'_>, tick: Tick, draw: u64) -> Option<Selected> {
        let strategy: &dyn Strategy = match query.strategy {
            Some(strategy) => strategy,
            None => &Weighted::DEFAULT,
        };
        let aim = query.affinity.map_or(Aim::Any, |it| self.aim(it));
        if let Some(index) = query.resend_to() {
            let again = self.pick_one(index, strategy, query, tick, draw);
            if again.is_some() {
                return again;
            }
        }
        match aim {
            Aim::Any => self.pick(strategy, query, tick, draw),
            Aim::Key(key) => self.pick(&Rendezvous(key), query, tick, draw),
            Aim::First(index) => self
                .pick_from(&[index], strategy, query, Access::Open, tick, draw)
                .or_else(|| self.pick(strategy, query, tick, draw)),
            Aim::Only(index) => self.pick_one(index, strategy, query, tick, draw),
        }
    }

    /// Chooses the backend with this index, if it is open or only failing.
    fn pick_one(
        &self,
        index: usize,
        strategy: &dyn Strategy,
        query: &Query<'_>,
        tick: Tick,
        draw: u64,
    ) -> Option<Selected> {
        let pick = |access| self.pick_from(&[index], strategy, query, access, tick, draw);
        let last_resort = || pick(Access::LastResort);
        pick(Access::Open).or_else(|| (!query.is_open_only).then(last_resort).flatten())
    }

    /// Returns the backend that a request with this affinity is pinned to.
    pub(super) fn only(&self, affinity: Option<Affinity>) -> Option<usize> {
        let pinned = affinity.filter(|affinity| affinity.is_pinned)?;
        match self.aim(pinned) {
            Aim::Only(index) => Some(index),
            _ => None,
        }
    }

    /// Returns the indices of the backends that a request may have, whatever their state.
    pub(super) fn reach(&self, query: &Query<'_>) -> Range<usize> {
        match self.only(query.affinity) {
            Some(index) => index..index + 1,
            None => 0..self.inner.members.len(),
        }
    }

    fn aim(&self, affinity: Affinity) -> Aim {
        match (affinity.target, affinity.is_pinned) {
            (Target::Key(key), false) => Aim::Key(key),
            (Target::Key(key), true) => {
                let best = self.inner.tiers[0].iter();
                let best = best.map(|&index| scored(index, self.member(index)));
                rendezvous::winner(key, best).map_or(Aim::Any, Aim::Only)
            }
            (Target::Label(label), is_pinned) => {
                let mut members = self.inner.members.iter();
                match members.position(|member| member.label_hash == label) {
                    Some(index) if is_pinned => Aim::Only(index),
                    Some(index) => Aim::First(index),
                    None => Aim::Any,
                }
            }
        }
    }

    /// Chooses from the first tier that has an open backend. If no tier has one, chooses a failing backend as a last
    /// resort.
    fn pick(
        &self,
        strategy: &dyn Strategy,
        query: &Query<'_>,
        tick: Tick,
        draw: u64,
    ) -> Option<Selected> {
        let pick = |access| {
            let mut tiers = self.inner.tiers.iter();
            tiers.find_map(|tier| self.pick_from(tier, strategy, query, access, tick, draw))
        };
        let last_resort = || pick(Access::LastResort);
        pick(Access::Open).or_else(|| (!query.is_open_only).then(last_resort).flatten())
    }

    /// Chooses from the backends of the tier that have this access, or a better one.
    fn pick_from(
        &self,
        tier: &[usize],
        strategy: &dyn Strategy,
        query: &Query<'_>,
        access: Access,
        tick: Tick,
        draw: u64,
    ) -> Option<Selected> {
        // If another request took the backend meanwhile, chooses again without it. The loop ends with the last backend.
        let mut lost = IndexSet::default();
        loop {
            let candidates = Candidates::new(&self.inner, tier, tick, |index, member| {
                !query.has_tried(index)
                    && !lost.contains(index)
                    && member.access(query, tick) <= access
            })?;
            let chosen = strategy.choose(&candidates, draw);
            let chosen = match candidates.get(chosen) {
                Some(_) => chosen,
                None => candidates.by_weight(draw),
            };
            if let Some(selected) = self.try_acquire(chosen, query, access, tick) {
                return Some(selected);
            }
            lost.insert(chosen);
        }
    }

    fn try_acquire(
        &self,
        index: usize,
        query: &Query<'_>,
        access: Access,
        tick: Tick,
    ) -> Option<Selected> {
        let member = self.member(index);
        // Acquires the permit first: without one, a probe would be lost.
        let permit = member.state.permits().acquire()?;
        match member.try_acquire(query.scope, access, tick) {
            Some(lease) => Some(Selected::new(self.clone(), index, query, lease, permit)),
            None => {
                member.state.permits().release(&permit);
                None
            }
        }
    }
}
