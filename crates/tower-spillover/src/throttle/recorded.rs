use http::Response;
use spillover_core::{Answer, Class, Classify, Cooldowns, Outcome, Selected, StatusClassifier};
use spillover_hint::{Report, Source};
use tokio::time::Instant;

use super::track::outcome_of_refusal;

/// A refusal that was recorded by its head, before its body had come.
pub(super) struct Recorded {
    selected: Selected,
    outcome: Outcome,
    /// False where a classifier gave the answer another class than its head says: that class stands, whatever the body says.
    is_usual: bool,
    cooldowns: Cooldowns,
}

impl Recorded {
    pub(super) fn new(
        selected: Selected,
        report: &Report,
        outcome: Outcome,
        cooldowns: Cooldowns,
    ) -> Self {
        Self {
            is_usual: class_of(report, &selected) == outcome.class(),
            selected,
            outcome,
            cooldowns,
        }
    }

    /// Closes the backend for longer if the body says more than the head did: that a quota is used up, or a longer wait. The
    /// time is never shortened: another refusal may have set it.
    pub(super) fn amend(&self, report: &Report) {
        let class = class_of(report, &self.selected);
        let amended = outcome_of_refusal(class, Some(report), &self.cooldowns, || false);
        let (Some(cooldown), Some(before)) = (amended.cooldown(), self.outcome.cooldown()) else {
            return;
        };
        let is_longer = cooldown.source().is_some() && cooldown.duration() > before.duration();
        if !self.is_usual || class == self.outcome.class() && !is_longer {
            return;
        }
        self.selected.amend(&amended, Instant::now());
        tracing::info!(
            backend = self.selected.backend().label(),
            class = class.as_str(),
            cooldown_ms = cooldown.duration().as_millis() as u64,
            source = cooldown.source().map_or("default", Source::as_str),
            cause = amended.message().map(|message| &**message),
            "backend closed for longer"
        );
    }
}

/// The class of a refusal by its report.
fn class_of(report: &Report, selected: &Selected) -> Class {
    let mut head = Response::new(());
    *head.status_mut() = report.status();
    let answer = Answer::<()>::reported(&head, Some(report), Some(selected.backend()));
    StatusClassifier::new().classify(&answer)
}
