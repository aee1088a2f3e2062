use http::Response;
use spillover_core::{
    Answer, Class, Classify, Cooldowns, Outcome, Selected, StatusClassifier, layer::LateReport,
    layer::SelectedProtocol,
};
use spillover_hint::{Report, Source};
use tokio::time::Instant;

use super::attempt::outcome_of_refusal;

/// Lets the body of a refusal that was recorded by its head close the backend for longer, where it is late.
#[cold]
pub(super) fn expect_body<B>(
    response: &Response<B>,
    selected: &Selected,
    report: &Report,
    outcome: &Outcome,
    cooldowns: Cooldowns,
) {
    let Some(late) = response.extensions().get::<LateReport>() else {
        return;
    };
    let amendment = Amendment {
        is_usual: class_of(report, selected) == outcome.class(),
        selected: selected.clone(),
        outcome: outcome.clone(),
        cooldowns,
    };
    late.on_report(move |report| amendment.apply(report));
}

/// A refusal that was recorded by its head, before its body had come.
struct Amendment {
    selected: Selected,
    outcome: Outcome,
    /// False where a classifier gave the answer another class than its head says: that class stands, whatever the body says.
    is_usual: bool,
    cooldowns: Cooldowns,
}

impl Amendment {
    /// Closes the backend for longer if the body says more than the head did: that a quota is used up, or a longer wait. The
    /// time is never shortened: another refusal may have set it.
    fn apply(&self, report: &Report) {
        let class = class_of(report, &self.selected);
        let amended = outcome_of_refusal(class, Some(report), &self.cooldowns, || false);
        let (Some(cooldown), Some(before)) = (amended.cooldown(), self.outcome.cooldown()) else {
            return;
        };
        let is_longer = cooldown.source().is_some() && cooldown.duration() > before.duration();
        if !self.is_usual || class == self.outcome.class() && !is_longer {
            return;
        }
        let recorded = self.selected.amend(&amended, Instant::now());
        let amended = amended.closed_for(recorded.closed_for());
        let closed_for = amended.cooldown().map(|cooldown| cooldown.duration());
        tracing::info!(
            backend = self.selected.backend().label(),
            class = class.as_str(),
            cooldown_ms = closed_for.map(|closed_for| closed_for.as_millis() as u64),
            source = cooldown.source().map_or("default", Source::as_str),
            cause = amended.message().map(|message| &**message),
            "backend closed for longer"
        );
    }
}

/// Returns the class of a refusal by its report.
fn class_of(report: &Report, selected: &Selected) -> Class {
    let mut head = Response::new(());
    *head.status_mut() = report.status();
    let answer = Answer::<()>::reported(&head, Some(report), Some(selected.backend()));
    StatusClassifier::new().classify(&answer)
}
