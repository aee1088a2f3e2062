//! Reads the values of each limit of a response.

use crate::{
    Candidate, Dimension, Period, Source, When,
    headers::field::{Key, Part},
    slots::Slots,
    value::{
        decimal::{Decimal, plain},
        duration, reset,
    },
};

/// The limits of one response.
#[derive(Debug)]
pub(crate) struct Limits<'a> {
    limits: [Option<Limit<'a>>; CAPACITY],
    len: usize,
    /// The dimension that the response names as exhausted.
    pub(crate) named: Option<Dimension>,
    renewal: [Option<Period>; 2],
    /// True if one limit may appear under two names.
    has_hyphenated: bool,
}

/// The values of one limit. `-1` and unreadable values are absent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit<'a> {
    pub(crate) key: Key,
    pub(crate) limit: Option<u64>,
    pub(crate) remaining: Option<u64>,
    reset: Reset<'a>,
}

/// Parsed on demand: most resets belong to limits that are not exhausted.
#[derive(Clone, Copy, Debug)]
enum Reset<'a> {
    Absent,
    Unread(&'a [u8]),
    Read(When),
}

/// The remaining part of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Left {
    Nothing,
    Something,
    Unknown,
}

impl<'a> Limits<'a> {
    pub(crate) fn push(&mut self, key: Key, part: Part, value: &'a [u8]) {
        let Some(limit) = self.entry(key) else {
            return;
        };
        match part {
            // The older IETF drafts allow a list of policies after the limit.
            Part::Limit => limit.limit = fewest(limit.limit, leading_count(value)),
            Part::Remaining => limit.remaining = fewest(limit.remaining, count(value)),
            Part::Reset => limit.reset = limit.reset.or_later(value),
        }
    }

    pub(crate) fn push_renewal(&mut self, dimension: Dimension, value: &[u8]) {
        let window = duration::parse(value, duration::Unit::SECOND);
        let period = window.map_or(Period::Unknown, Period::from_window);
        let held = &mut self.renewal[usize::from(dimension == Dimension::Requests)];
        *held = Some(held.map_or(period, |held| held.max(period)));
    }

    pub(crate) fn push_named(&mut self, value: &[u8]) {
        // GitHub Models sends other values here, e.g. `UserByMinute`.
        self.named = self.named.max(Dimension::named(value.trim_ascii()));
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Limit<'a>> {
        self.limits[..self.len].iter().flatten()
    }

    /// Returns true if the response names the period of a limit, as Azure OpenAI and GitHub Models do.
    pub(crate) fn names_renewal_period(&self) -> bool {
        self.renewal.iter().any(Option::is_some)
    }

    /// Adds the resets of limits that may have run out to the candidates.
    pub(crate) fn collect(&self, slots: &mut Slots) {
        for limit in self.iter() {
            if matches!(limit.reset, Reset::Absent) {
                continue;
            }
            let left = self.left(limit);
            if left == Left::Something {
                continue;
            }
            // Azure sends reset 0 beside remaining -1: both are unknown.
            // https://github.com/openai/openai-dotnet/issues/838
            let when = match limit.reset() {
                Some(When::After(wait)) if wait.is_zero() && left == Left::Unknown => continue,
                Some(when) => when,
                None => continue,
            };
            slots.push(Candidate {
                dimension: limit.key.dimension,
                period: self.period(limit.key),
                exhausted: left == Left::Nothing && !limit.key.dimension.is_priority(),
                ..Candidate::stated(limit.key.source, when)
            });
        }
    }

    /// Returns the limit that is known to have run out.
    pub(crate) fn exhausted(&self) -> Option<(Dimension, Period)> {
        let exhausted = self.iter().filter(|limit| limit.remaining == Some(0));
        let exhausted = exhausted.map(|limit| (limit.key.dimension, self.period(limit.key)));
        let exhausted = exhausted.filter(|(dimension, _)| !dimension.is_priority());
        let named = self
            .named
            .map(|dimension| (dimension, self.renewal_period(dimension)));
        exhausted
            .chain(named)
            .max_by_key(|(dimension, period)| (*period, *dimension))
    }

    #[inline]
    fn entry(&mut self, key: Key) -> Option<&mut Limit<'a>> {
        let held = self.limits[..self.len]
            .iter()
            .position(|held| held.as_ref().is_some_and(|held| held.key == key));
        let place = match held {
            Some(place) => place,
            None => {
                self.has_hyphenated |= key.source == Source::HyphenatedReset;
                let place = self.vacate(key)?;
                self.limits[place] = Some(Limit::new(key));
                place
            }
        };
        self.limits[place].as_mut()
    }

    /// Returns a free slot. When all are full, the last in order is dropped, so that the result does not depend on the
    /// order of the fields.
    fn vacate(&mut self, key: Key) -> Option<usize> {
        if self.len < CAPACITY {
            self.len += 1;
            return Some(self.len - 1);
        }
        let last = (0..CAPACITY).max_by_key(|place| self.limits[*place].map(|held| held.key))?;
        self.limits[last]
            .is_some_and(|held| key < held.key)
            .then_some(last)
    }

    fn left(&self, limit: &Limit<'_>) -> Left {
        let key = limit.key;
        let remaining = match self.has_hyphenated {
            true => self.remaining(key),
            false => limit.remaining,
        };
        match remaining {
            Some(0) => Left::Nothing,
            // Even if `x-ratelimit-type` names this dimension: the request was too large for the rest.
            Some(_) => Left::Something,
            None => match self.named {
                Some(named) if named == key.dimension => Left::Nothing,
                Some(_) if is_either(key.dimension) => Left::Something,
                _ => Left::Unknown,
            },
        }
    }

    /// Returns the remaining part of a limit, under either spelling of its name.
    fn remaining(&self, key: Key) -> Option<u64> {
        let is_same = |other: Key| {
            family(other.source) == family(key.source)
                && (other.dimension, other.period) == (key.dimension, key.period)
        };
        let same = self.iter().filter(|limit| is_same(limit.key));
        same.filter_map(|limit| limit.remaining).min()
    }

    pub(crate) fn period(&self, key: Key) -> Period {
        match key.period {
            Period::Unknown if family(key.source) == Source::Reset => {
                self.renewal_period(key.dimension)
            }
            period => period,
        }
    }

    fn renewal_period(&self, dimension: Dimension) -> Period {
        if !is_either(dimension) {
            return Period::Unknown;
        }
        self.renewal[usize::from(dimension == Dimension::Requests)].unwrap_or_default()
    }
}

impl Default for Limits<'_> {
    #[inline]
    fn default() -> Self {
        Self {
            limits: [None; CAPACITY],
            len: 0,
            named: None,
            renewal: [None; 2],
            has_hyphenated: false,
        }
    }
}

impl<'a> Limit<'a> {
    fn new(key: Key) -> Self {
        Self {
            key,
            limit: None,
            remaining: None,
            reset: Reset::Absent,
        }
    }

    pub(crate) fn reset(&self) -> Option<When> {
        self.reset.read()
    }
}

impl<'a> Reset<'a> {
    fn read(self) -> Option<When> {
        match self {
            Self::Absent => None,
            Self::Unread(value) => reset::parse(value),
            Self::Read(when) => Some(when),
        }
    }

    fn or_later(self, value: &'a [u8]) -> Self {
        if let Self::Absent = self {
            return Self::Unread(value);
        }
        match (self.read(), reset::parse(value)) {
            (Some(one), Some(other)) => Self::Read(one.later(other)),
            (Some(when), None) | (None, Some(when)) => Self::Read(when),
            (None, None) => Self::Unread(value),
        }
    }
}

/// Returns true for the two dimensions that `x-ratelimit-type` distinguishes.
fn is_either(dimension: Dimension) -> bool {
    matches!(dimension, Dimension::Requests | Dimension::Tokens)
}

/// Maps both spellings of a name to one limit.
fn family(source: Source) -> Source {
    match source {
        Source::HyphenatedReset => Source::Reset,
        source => source,
    }
}

fn fewest(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

fn count(value: &[u8]) -> Option<u64> {
    if let Some(number) = plain(value) {
        return Some(number);
    }
    Decimal::parse(value).map(Decimal::count)
}

fn leading_count(value: &[u8]) -> Option<u64> {
    if let Some(number) = plain(value) {
        return Some(number);
    }
    let (number, rest) = Decimal::prefix(value.trim_ascii())?;
    (rest.is_empty() || rest.starts_with(b",") || rest.starts_with(b";")).then(|| number.count())
}

/// OpenAI and Anthropic send six each, and a gateway may pass on both.
const CAPACITY: usize = 12;
