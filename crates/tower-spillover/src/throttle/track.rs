use std::time::SystemTime;

use http::{Extensions, HeaderMap};
use spillover_core::{Backend, Change, Class, Cooldown, Cooldowns, Outcome, Selected, Tried};
use spillover_hint::{Hints, Source};
use tokio::time::Instant;

/// An attempt whose outcome is owed to the pool. Dropped without one, it gives the backend back.
#[derive(Debug)]
pub(super) struct Track {
    selected: Selected,
    tried: Option<Tried>,
    is_ended: bool,
}

impl Track {
    pub(super) fn begin(extensions: &Extensions) -> Option<Self> {
        Some(Self {
            selected: extensions.get::<Selected>()?.clone(),
            tried: extensions.get::<Tried>().cloned(),
            is_ended: false,
        })
    }

    pub(super) fn backend(&self) -> &Backend {
        self.selected.backend()
    }

    pub(super) fn end(
        mut self,
        class: Class,
        headers: Option<&HeaderMap>,
        cooldowns: &Cooldowns,
    ) -> Outcome {
        let is_request_failed = || self.tried.as_ref().is_some_and(Tried::is_request_failed);
        if class != Class::Success && is_request_failed() {
            // What comes of a request that broke says nothing about the backend: not that it fails, nor that it works.
            return Outcome::client_error();
        }
        let outcome = match class {
            Class::Success => Outcome::success(),
            class if class.is_refusal() => Outcome::new(class, cooldown(headers, cooldowns)),
            _ => Outcome::client_error(),
        };
        self.is_ended = true;
        let change = self.selected.record(&outcome, Instant::now());
        self.log(change, &outcome);
        outcome
    }

    fn log(&self, change: Option<Change>, outcome: &Outcome) {
        let backend = self.backend().label();
        let class = outcome.class().as_str();
        let cooldown = outcome.cooldown();
        let source = cooldown
            .and_then(|cooldown| cooldown.source())
            .map_or("default", Source::as_str);
        // A number also in JSON, where what `as_millis` returns would be text.
        let cooldown_ms = cooldown.map(|cooldown| cooldown.duration().as_millis() as u64);
        match change {
            Some(Change::Closed) => {
                tracing::info!(backend, class, cooldown_ms, source, "backend closed");
            }
            Some(Change::Opened) => tracing::info!(backend, "backend open again"),
            _ => tracing::debug!(backend, class, cooldown_ms, "attempt ended"),
        }
    }
}

impl Drop for Track {
    fn drop(&mut self) {
        if !self.is_ended {
            tracing::debug!(backend = self.backend().label(), "attempt given up");
            self.selected.release(Instant::now());
        }
    }
}

fn cooldown(headers: Option<&HeaderMap>, cooldowns: &Cooldowns) -> Cooldown {
    let hint = headers.and_then(|headers| Hints::from_headers(headers).choose(wall_clock()));
    cooldowns.resolve(hint)
}

/// Upstreams name dates: here, and nowhere else, the time of day enters.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place where a date becomes a duration"
)]
fn wall_clock() -> SystemTime {
    SystemTime::now()
}
