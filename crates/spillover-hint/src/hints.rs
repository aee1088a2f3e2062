use std::time::{Duration, SystemTime};

use http::HeaderMap;

use crate::{
    Candidate, Hint, When,
    choose::{Past, choose},
    headers::Head,
    slots::Slots,
};

/// All waits and dates that one response states.
///
/// See the [crate documentation](crate) for the fields that are read and an example.
#[derive(Clone, Debug, Default)]
pub struct Hints {
    pub(crate) slots: Slots,
    /// The response's own `Date`, read only if it may be needed.
    date: Option<SystemTime>,
    /// True if the response names the period in which its limits are renewed.
    renewal: bool,
}

impl Hints {
    /// Collects the candidates from the headers of a response.
    ///
    /// Unreadable values are skipped. The reset of a limit that is not exhausted is no candidate: it does not say when
    /// the refused request would be accepted.
    pub fn from_headers(headers: &HeaderMap) -> Self {
        let mut hints = Self::default();
        let mut head = Head::default();
        head.read(headers, &mut hints.slots);
        hints.finish(&head);
        hints
    }

    /// Adds the values that are known only after all fields have been read.
    pub(crate) fn finish(&mut self, head: &Head<'_>) {
        head.finish(&mut self.slots);
        if self.slots.iter().any(|c| matches!(c.when(), When::At(_))) {
            self.store_date(head);
        }
        self.renewal = head.limits.names_renewal_period();
    }

    /// Stores the response's own clock if a known date, or one still to come, needs it.
    pub(crate) fn store_date(&mut self, head: &Head<'_>) {
        self.date = self.date.or_else(|| head.date());
    }

    /// Chooses the most trusted candidate and turns it into a wait.
    ///
    /// 1. The order of trust: first a wait that the server states for this request, in the order of
    ///    [`Source`](crate::Source) from [`RetryAfterMs`](crate::Source::RetryAfterMs) to
    ///    [`RetryInfo`](crate::Source::RetryInfo) ([`Rule::Stated`](crate::Rule::Stated)). Then the reset of a limit
    ///    that is known to be exhausted ([`Rule::Exhausted`](crate::Rule::Exhausted)), then that of a limit that may be
    ///    ([`Rule::Unspecific`](crate::Rule::Unspecific)), then a sentence in the body
    ///    ([`Rule::LastResort`](crate::Rule::LastResort)). Among equals the longest wait is chosen. The order of the
    ///    fields does not matter.
    /// 2. A stated wait of zero gives way to a stated wait that is not zero, even in a sentence
    ///    ([`Rule::NotZero`](crate::Rule::NotZero)). For example, Azure OpenAI sends `retry-after-ms: 0` together with
    ///    `retry-after: 1`.
    /// 3. When milliseconds and seconds are the same number (`30` and `30`), the server confused the units, and the
    ///    seconds are chosen ([`Rule::SameNumber`](crate::Rule::SameNumber)).
    /// 4. A stated wait of zero or one second gives way to the longer reset of an exhausted limit if the response names
    ///    a renewal period ([`Rule::KnownLie`](crate::Rule::KnownLie)). For example, Azure OpenAI states one second
    ///    whatever limit was hit.
    ///
    /// `now` is the time of day when the response arrived. Only dates need it. The response's own `Date` replaces it
    /// unless the two are more than a day apart, because both dates then come from one clock.
    pub fn choose(&self, now: SystemTime) -> Option<Hint> {
        choose(&self.slots, self.renewal, Past::Unknown, self.clock(now))
    }

    /// Chooses for a backend that refused again right after its last hint was obeyed.
    ///
    /// The reset of an exhausted limit is chosen if it is longer than the stated wait.
    pub fn choose_again(&self, now: SystemTime) -> Option<Hint> {
        choose(
            &self.slots,
            self.renewal,
            Past::RefusedAgain,
            self.clock(now),
        )
    }

    /// Returns the candidates in the order in which they were found.
    pub fn iter(&self) -> impl Iterator<Item = &Candidate> {
        self.slots.iter()
    }

    /// Returns true if the response states no wait and no date.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    pub(crate) fn date(&self) -> Option<SystemTime> {
        self.date
    }

    fn clock(&self, now: SystemTime) -> SystemTime {
        self.date.filter(|date| is_sane(*date, now)).unwrap_or(now)
    }
}

fn is_sane(date: SystemTime, now: SystemTime) -> bool {
    let skew = match date.duration_since(now) {
        Ok(ahead) => ahead,
        Err(behind) => behind.duration(),
    };
    skew <= MAX_SKEW
}

/// A larger difference means a cached response or a clock that was never set.
const MAX_SKEW: Duration = Duration::from_secs(24 * 60 * 60);
