use http::{Extensions, HeaderMap};
use spillover_core::{
    Attempts, Backend, Change, Class, Cooldown, Cooldowns, Outcome, Selected,
    layer::{AttemptsProtocol, SelectedProtocol},
};
use spillover_hint::{Dimension, Quota, Quotas, Report, Source};
use tokio::time::Instant;

use super::spent::spent;
use crate::{clock::wall_clock, guard::Guard};

/// An attempt at a backend, which is in flight there until this is dropped.
///
/// The future of the layer holds it until the answer, then the body of the answer does. Dropped before the answer, the attempt
/// counts as given up.
#[derive(Debug)]
pub struct Attempt {
    selected: Selected,
    attempts: Option<Attempts>,
    is_recorded: bool,
}

impl Attempt {
    pub(super) fn begin(extensions: &Extensions) -> Option<Self> {
        Some(Self {
            selected: extensions.get::<Selected>()?.clone(),
            attempts: extensions.get::<Attempts>().cloned(),
            is_recorded: false,
        })
    }

    pub(super) fn backend(&self) -> &Backend {
        self.selected.backend()
    }

    pub(super) fn selected(&self) -> &Selected {
        &self.selected
    }

    /// Returns the class that an answer has for this request. A request that was not processed is sent to the same backend once
    /// more; the second time, or without a layer that sends it, the answer is a failure.
    pub(super) fn class(&self, class: Class) -> Class {
        if class != Class::Unprocessed {
            return class;
        }
        let attempts = self.attempts.as_ref();
        // A request that broke is not sent again.
        let is_resent = attempts.is_some_and(|attempts| {
            attempts.is_request_failed() || attempts.resend(self.selected.index())
        });
        if is_resent { class } else { Class::Failing }
    }

    /// Records an answer of this class, with the head of the response and what that or the body reports.
    pub(super) fn record(
        &mut self,
        class: Class,
        headers: Option<&HeaderMap>,
        report: Option<&Report>,
        cooldowns: &Cooldowns,
    ) -> Outcome {
        let now = Instant::now();
        if class == Class::Late {
            self.is_recorded = true;
            self.give_up(now);
            return Outcome::new(class, Cooldown::default());
        }
        let is_request_failed = || {
            self.attempts
                .as_ref()
                .is_some_and(Attempts::is_request_failed)
        };
        if class != Class::Success && is_request_failed() {
            // The answer to a request that broke says nothing about the backend.
            self.end_without_answer(now);
            return Outcome::client_error();
        }
        let outcome = match class {
            Class::Success => match headers.and_then(spent) {
                Some((wait, source)) => Outcome::success_exhausted(cooldowns.bound(wait, source)),
                None => Outcome::success(),
            },
            class if class.is_refusal() => {
                let has_obeyed = || self.selected.has_obeyed(now);
                outcome_of_refusal(class, report, cooldowns, has_obeyed)
            }
            _ => Outcome::client_error(),
        };
        self.is_recorded = true;
        if let Some(attempts) = self.attempts.as_ref().filter(|_| !class.is_refusal()) {
            attempts.set_answered();
        }
        if let Some(headers) = headers
            && (class.is_refusal() || self.selected.is_limit_due(now))
        {
            self.record_limits(headers);
        }
        let recorded = self.selected.record(&outcome, now);
        let outcome = outcome.closed_for(recorded.closed_for());
        self.log(recorded.change(), &outcome);
        outcome
    }

    /// Records the limits that the backend announces. A lowered one is logged: a quota was changed, or the provider is short of
    /// capacity.
    fn record_limits(&self, headers: &HeaderMap) {
        let quotas = Quotas::from_headers(headers);
        for dimension in [Dimension::Tokens, Dimension::Requests] {
            let Some(limit) = quotas.get(dimension).and_then(Quota::limit) else {
                continue;
            };
            if let Some(before) = self.selected.record_limit(dimension, limit) {
                let backend = self.backend().label();
                let dimension = dimension.as_str();
                tracing::warn!(
                    backend,
                    dimension,
                    limit,
                    before,
                    "backend lowered its limit"
                );
            }
        }
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
                let cause = outcome.message().map(|message| &**message);
                tracing::info!(backend, class, cooldown_ms, source, cause, "backend closed");
            }
            Some(Change::Opened) => tracing::info!(backend, "backend open again"),
            _ => tracing::debug!(backend, class, cooldown_ms, "attempt ended"),
        }
    }

    /// Records that the attempt ended before an answer, or with one that does not count.
    fn end_without_answer(&mut self, now: Instant) {
        self.is_recorded = true;
        tracing::debug!(backend = self.backend().label(), "attempt given up");
        match self.is_backend_awaited() {
            true => self.give_up(now),
            false => self.selected.cancel(now),
        }
    }

    /// Records that the attempt waited for an answer in vain.
    fn give_up(&self, now: Instant) {
        if let Some(silence) = self.selected.give_up(now) {
            let backend = self.backend().label();
            let cancelled = silence.attempts();
            let silent_ms = silence.lasting().as_millis() as u64;
            tracing::warn!(backend, cancelled, silent_ms, "backend suspect");
        }
    }

    /// Returns true if the backend was waited for, and not the client or another attempt.
    fn is_backend_awaited(&self) -> bool {
        self.attempts.as_ref().is_none_or(|attempts| {
            !attempts.is_answered()
                && !attempts.has_head()
                && !attempts.is_awaiting_body()
                && !attempts.is_request_failed()
        })
    }
}

/// Returns the outcome of a refusal with this class and report. `has_obeyed` is true when the wait before was too short.
pub(super) fn outcome_of_refusal(
    class: Class,
    report: Option<&Report>,
    cooldowns: &Cooldowns,
    has_obeyed: impl FnOnce() -> bool,
) -> Outcome {
    let hint = report.and_then(|report| match has_obeyed() {
        true => report.hints().choose_again(wall_clock()),
        false => report.hints().choose(wall_clock()),
    });
    let outcome = Outcome::new(class, cooldowns.resolve(class, hint, rand::random()));
    match report.and_then(Report::cause) {
        Some(cause) => outcome.with_message(cause),
        None => outcome,
    }
}

impl Guard for Attempt {
    fn record_broken(&self) {
        self.selected.record_broken();
        tracing::warn!(
            backend = self.backend().label(),
            "backend broke off its answer"
        );
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        if !self.is_recorded {
            self.end_without_answer(Instant::now());
        }
        self.selected.release();
    }
}
