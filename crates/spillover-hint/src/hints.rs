use std::time::{Duration, SystemTime};

use http::HeaderMap;

use crate::{
    Candidate, Hint, When,
    choose::{Past, choose},
    headers::Head,
    slots::Slots,
};

/// Everything one response says about when to come back.
///
/// See the [crate documentation](crate) for the fields that are read and an example.
#[derive(Clone, Debug, Default)]
pub struct Hints {
    pub(crate) slots: Slots,
    /// The response's own `Date`, read only if it may be needed.
    date: Option<SystemTime>,
    /// Whether the response names the period in which its limits are renewed.
    renewal: bool,
}

impl Hints {
    /// Collects the candidates from the headers of a response.
    ///
    /// A value that cannot be read is skipped. The reset of a dimension that has something left is no candidate: it does
    /// not say when the refused request would be taken.
    pub fn from_headers(headers: &HeaderMap) -> Self {
        let mut hints = Self::default();
        let mut head = Head::default();
        head.read(headers, &mut hints.slots);
        hints.finish(&head);
        hints
    }

    /// Adds what is known only when all fields have been read.
    pub(crate) fn finish(&mut self, head: &Head<'_>) {
        head.finish(&mut self.slots);
        if self.slots.iter().any(|c| matches!(c.when(), When::At(_))) {
            self.keep_date(head);
        }
        self.renewal = head.limits.names_renewal_period();
    }

    /// Keeps the response's own clock, for the dates that are known and for those that may follow.
    pub(crate) fn keep_date(&mut self, head: &Head<'_>) {
        self.date = self.date.or_else(|| head.date());
    }

    /// Chooses the most trusted candidate and turns it into a wait.
    ///
    /// 1. All candidates are looked at, in whatever order they came. What the server states for this request comes first: by
    ///    the order of [`Source`](crate::Source) from [`RetryAfterMs`](crate::Source::RetryAfterMs) to [`RetryInfo`](crate::Source::RetryInfo)
    ///    ([`Rule::Stated`](crate::Rule::Stated)). Then the reset of a limit that is known to be exhausted ([`Rule::Exhausted`](crate::Rule::Exhausted)), then that of one
    ///    that may be ([`Rule::Unspecific`](crate::Rule::Unspecific)), then a sentence in the body ([`Rule::LastResort`](crate::Rule::LastResort)). Among equals the longest
    ///    wait is chosen.
    /// 2. A stated wait of zero gives way to a stated wait that is not zero, even in a sentence ([`Rule::NotZero`](crate::Rule::NotZero)). Azure
    ///    OpenAI is seen to send `retry-after-ms: 0` together with `retry-after: 1`.
    /// 3. When the milliseconds are the same number as the seconds (`30` and `30`), the server has mistaken one unit for
    ///    the other, and the seconds are chosen ([`Rule::SameNumber`](crate::Rule::SameNumber)).
    /// 4. A stated wait of zero or one second is not believed when the response names a renewal period and an exhausted
    ///    dimension with a longer wait ([`Rule::KnownLie`](crate::Rule::KnownLie)). Azure OpenAI is seen to state one second whatever the limit.
    ///
    /// `now` is the time of day when the response arrived. It is needed for dates only, and the `Date` of the response
    /// replaces it unless the two are more than a day apart: the date to come back at was made by the same clock.
    pub fn choose(&self, now: SystemTime) -> Option<Hint> {
        choose(&self.slots, self.renewal, Past::Unknown, self.clock(now))
    }

    /// Chooses for a backend that refused again right after its last hint was obeyed.
    ///
    /// What it states is not worth more than what it counts then: the reset of a dimension that is known to be exhausted is
    /// chosen if it is longer than the stated wait.
    pub fn choose_again(&self, now: SystemTime) -> Option<Hint> {
        choose(
            &self.slots,
            self.renewal,
            Past::RefusedAgain,
            self.clock(now),
        )
    }

    /// The candidates, in the order in which they were found.
    pub fn iter(&self) -> impl Iterator<Item = &Candidate> {
        self.slots.iter()
    }

    /// Whether the response says nothing about when to come back.
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

/// A `Date` farther off than this is that of a stored response or of a clock that was never set, not of a skewed one.
const MAX_SKEW: Duration = Duration::from_secs(24 * 60 * 60);
