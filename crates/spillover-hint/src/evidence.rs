use crate::{Dimension, Period, Refusal, words};

/// What the details of an answer show, from wherever they come: a body, trailers, an event of a stream.
#[derive(Debug, Default)]
pub(crate) struct Evidence {
    /// By a word that is meant for programs.
    pub(crate) refusal: Option<Refusal>,
    /// What that word says of the status.
    pub(crate) usual_status: Option<u16>,
    /// By a sentence.
    pub(crate) said: Option<Refusal>,
    pub(crate) dimension: Dimension,
    pub(crate) period: Period,
    /// The error's own status, for an event of a stream that began with 200.
    pub(crate) status: Option<u16>,
    pub(crate) cause: Option<Box<str>>,
    /// A limit per day ran out, and Google names a wait all the same: it is refused again after it.
    pub(crate) is_wait_misleading: bool,
    /// The model is not there, or not for this account: nothing is wrong with the key.
    pub(crate) is_model_missing: bool,
}

impl Evidence {
    /// Adds what a word says, if it says anything.
    pub(crate) fn push_word(&mut self, word: &[u8]) {
        let Some(found) = words::refusal(word) else {
            return;
        };
        if self.is_news(found) {
            self.refusal = Some(found);
            self.usual_status = words::status(word);
        }
    }

    pub(crate) fn push_refusal(&mut self, found: Refusal) {
        if self.is_news(found) {
            self.refusal = Some(found);
            self.usual_status = None;
        }
    }

    /// Adds what is known of the limit that ran out. Of two periods the longer one keeps the backend closed.
    pub(crate) fn push_limit(&mut self, dimension: Dimension, period: Period) {
        if self.dimension == Dimension::Unspecified || period > self.period {
            self.dimension = match dimension {
                Dimension::Unspecified => self.dimension,
                dimension => dimension,
            };
        }
        self.period = self.period.max(period);
    }

    fn is_news(&self, found: Refusal) -> bool {
        self.refusal
            .is_none_or(|held| held.weight() < found.weight())
    }
}
