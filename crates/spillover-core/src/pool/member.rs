//! One backend of a pool.

use std::{sync::Arc, time::Duration};

use super::{
    BackendSnapshot, Cause, Condition, Query, Scope,
    queue::Queue,
    rendezvous,
    scope::OwnScopes,
    state::{Access, Lease, State},
    tick::Tick,
};
use crate::{Backend, BackendKind};

pub(super) struct Member {
    pub(super) backend: Backend,
    pub(super) label_hash: u64,
    own_scopes: OwnScopes,
    pub(super) state: State,
}

impl Member {
    /// Creates a backend without any state.
    pub(super) fn new(backend: Backend, queue: &Arc<Queue>) -> Self {
        let state = State::new(backend.max_concurrency(), queue);
        Self::with_state(backend, state)
    }

    /// Returns this backend for another pool, with the settings of that pool and the state of this one.
    pub(super) fn go_on_as(&self, backend: Backend, queue: &Arc<Queue>) -> Self {
        let has_credential_of_before = self.backend.has_credential_of(&backend);
        let state = self
            .state
            .share(backend.max_concurrency(), queue, has_credential_of_before);
        Self::with_state(backend, state)
    }

    fn with_state(backend: Backend, state: State) -> Self {
        Self {
            label_hash: rendezvous::hash(backend.label().as_bytes()),
            own_scopes: own_scopes(&backend),
            state,
            backend,
        }
    }

    #[inline]
    pub(super) fn access(&self, query: &Query<'_>, now: Tick) -> Access {
        let scope = self.scope(query.scope);
        self.state.access(scope, now, || query.is_retry())
    }

    pub(super) fn try_acquire(&self, scope: Scope, access: Access, now: Tick) -> Option<Lease> {
        self.state.try_acquire(self.scope(scope), access, now)
    }

    pub(super) fn force_acquire(&self, scope: Scope, now: Tick) -> Lease {
        self.state.force_acquire(self.scope(scope), now)
    }

    pub(super) fn closed_for(&self, scope: Scope, now: Tick) -> Duration {
        self.state.closed_for(self.scope(scope), now)
    }

    pub(super) fn may_open_sooner(&self, scope: Scope, now: Tick) -> bool {
        self.state.may_open_sooner(self.scope(scope), now)
    }

    /// Returns true if only the limit of requests in flight keeps a request of this scope from the backend.
    pub(super) fn is_merely_full(&self, scope: Scope, now: Tick) -> bool {
        self.state.condition(self.scope(scope), now) == Condition::Full
    }

    pub(super) fn cause(&self, scope: Scope, now: Tick) -> Option<Cause> {
        self.state.cause(self.scope(scope), now)
    }

    pub(super) fn snapshot(&self, scope: Scope, now: Tick) -> BackendSnapshot {
        let scope = self.scope(scope);
        let (suspect_scopes, longest_silence) = self.state.suspect_scopes(now);
        BackendSnapshot {
            backend: self.backend.clone(),
            condition: self.state.condition(scope, now),
            cause: self.state.cause(scope, now),
            counts: self.state.counts(),
            in_flight: self.state.in_flight(),
            latency: self.state.average_latency(),
            throttled_scopes: self.state.throttled_scopes(now),
            longest_throttle: self.state.longest_throttle(now),
            suspect_scopes,
            longest_silence,
        }
    }

    /// Returns the scope that a request has at this backend.
    fn scope(&self, scope: Scope) -> Scope {
        let has_credential = self.backend.credential().is_some();
        scope.at(has_credential, self.own_scopes)
    }
}

fn own_scopes(backend: &Backend) -> OwnScopes {
    let model = backend.model().map(Scope::named);
    let deployment = match backend.kind() {
        // A deployment in the path becomes a model in the body there.
        BackendKind::OpenAi => model,
        _ => backend.deployment().map(Scope::named),
    };
    OwnScopes { deployment, model }
}
