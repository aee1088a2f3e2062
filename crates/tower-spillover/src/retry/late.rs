use std::task::Context;

use spillover_core::LateReport;

/// The refusals that a request has moved on from before their bodies had come.
#[derive(Default)]
pub(super) struct LateReports {
    unread: Vec<LateReport>,
}

impl LateReports {
    pub(super) fn push(&mut self, late: LateReport) {
        self.unread.push(late);
    }

    /// Reads on, beside the attempt under way.
    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>) {
        self.unread.retain(|late| late.poll_read(cx).is_pending());
    }
}
