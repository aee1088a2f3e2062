/// A mark in the extensions of a response: the request was sent to a second backend while the first attempt was under way.
///
/// Only the attempt that was answered counts: earlier ones, which were refused, may have been hedged as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hedged {
    has_won: bool,
}

impl Hedged {
    pub(super) fn new(has_won: bool) -> Self {
        Self { has_won }
    }

    /// Returns true if the answer is that of the hedge.
    #[must_use]
    pub fn has_won(self) -> bool {
        self.has_won
    }
}
