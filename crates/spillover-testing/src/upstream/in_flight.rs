use std::sync::Arc;

use super::{shared::Shared, wire::Wire};

/// Counts a request from its arrival to the end of its answer.
pub(super) struct InFlight {
    shared: Arc<Shared>,
    wire: Arc<Wire>,
    admission: Option<Admission>,
    completed: bool,
}

/// The values that the limit needs at the end of the request.
pub(super) struct Admission {
    pub(super) deployment: String,
    pub(super) max_tokens: u64,
    pub(super) output_tokens: u64,
}

impl InFlight {
    pub(super) fn start(shared: Arc<Shared>, wire: Arc<Wire>) -> Self {
        shared.count(|stats| {
            stats.received += 1;
            stats.in_flight += 1;
        });
        Self {
            shared,
            wire,
            admission: None,
            completed: false,
        }
    }

    pub(super) fn admitted(&mut self, admission: Admission) {
        self.admission = Some(admission);
    }

    /// Marks the whole answer as handed to the connection.
    pub(super) fn complete(mut self) {
        self.completed = true;
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if let Some(admission) = &self.admission {
            let Admission {
                deployment,
                max_tokens,
                output_tokens,
            } = admission;
            self.shared.finish(deployment, *max_tokens, *output_tokens);
        }
        let cancelled = !self.completed && !self.wire.is_ended_by_server();
        self.shared.count(|stats| {
            stats.in_flight -= 1;
            stats.cancelled += u64::from(cancelled);
        });
    }
}
