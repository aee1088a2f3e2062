use spillover_core::Selected;

use crate::body::Guard;

/// What a response body holds: a place at a backend. Dropping it releases the place.
#[derive(Debug)]
pub struct InFlightPlace {
    selected: Selected,
}

impl InFlightPlace {
    pub(super) fn new(selected: Selected) -> Self {
        Self { selected }
    }
}

impl Guard for InFlightPlace {
    fn broke(&self) {
        self.selected.record_broken();
        let backend = self.selected.backend().label();
        tracing::warn!(backend, "backend broke off its answer");
    }
}

impl Drop for InFlightPlace {
    fn drop(&mut self) {
        self.selected.release();
    }
}
