use crate::{Dimension, Period, Refusal, words};

/// Facts that the details of a response show: its body, its trailers, or an event of its stream.
#[derive(Debug, Default)]
pub(crate) struct Evidence {
    /// The kind according to an error code.
    pub(crate) refusal: Option<Refusal>,
    /// The status that usually goes with that code.
    pub(crate) usual_status: Option<u16>,
    /// The kind according to a sentence.
    pub(crate) said: Option<Refusal>,
    pub(crate) dimension: Dimension,
    pub(crate) period: Period,
    /// The error's own status. Set for an event of a stream that began with 200.
    pub(crate) status: Option<u16>,
    pub(crate) cause: Option<Box<str>>,
    /// True if a limit per day ran out and Google names a short wait, after which it refuses again.
    pub(crate) is_wait_misleading: bool,
    /// True if the backend lacks what the request names, or this account may not use it. The key itself is fine.
    pub(crate) is_missing: bool,
}

impl Evidence {
    /// Adds the meaning of an error code, if it is a known one.
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

    /// Adds the exhausted limit. The longer of two periods counts: it keeps the backend closed.
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
