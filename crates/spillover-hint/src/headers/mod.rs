//! Reads all fields of a response in one pass.

mod field;
mod ietf;
mod limits;
mod signals;

use std::time::SystemTime;

use http::HeaderMap;

use self::{
    field::{Field, Grpc, Ietf, Part},
    ietf::Item,
};
use crate::{
    Candidate, Dimension, Period, Source, When,
    slots::Slots,
    value::{
        date,
        decimal::Decimal,
        duration::{self, Unit},
        reset,
    },
};

pub(crate) use self::{field::Key, limits::Limits, signals::Signals};

/// The values read from the fields of one response.
#[derive(Debug, Default)]
pub(crate) struct Head<'a> {
    pub(crate) limits: Limits<'a>,
    pub(crate) signals: Signals<'a>,
    ietf: [Option<&'a [u8]>; 2],
    /// False after a refusal, where the size of a limit does not matter.
    pub(crate) wants_limits: bool,
}

impl<'a> Head<'a> {
    /// Reads the fields and adds stated waits to the candidates; [`finish`](Self::finish) adds the others.
    ///
    /// Checking every present name once is cheaper than looking up every known name: a response has some twenty fields,
    /// and more than a hundred names are known.
    pub(crate) fn read(&mut self, headers: &'a HeaderMap, slots: &mut Slots) {
        for (name, value) in headers {
            let name = name.as_str();
            if !self.wants_limits && name.ends_with("-limit") {
                continue;
            }
            if let Some(field) = Field::named(name) {
                self.push(field, value.as_bytes(), slots);
            }
        }
    }

    /// Reads one field whose name is in lower case.
    pub(crate) fn read_line(&mut self, name: &str, value: &'a [u8], slots: &mut Slots) {
        if let Some(field) = Field::named(name) {
            self.push(field, value, slots);
        }
    }

    /// Adds the resets of limits that may have run out to the candidates.
    pub(crate) fn finish(&self, slots: &mut Slots) {
        self.limits.collect(slots);
        for item in self.ietf_items() {
            // Some servers omit the remaining part: then the limit may have run out.
            if item.remaining.is_none_or(|remaining| remaining == 0)
                && let Some(wait) = item.reset
            {
                slots.push(Candidate {
                    dimension: item.dimension,
                    period: item.period,
                    exhausted: item.remaining.is_some(),
                    ..Candidate::stated(Source::RateLimit, When::After(wait))
                });
            }
        }
    }

    pub(crate) fn ietf_items(&self) -> impl Iterator<Item = Item<'a>> + use<'a> {
        let [state, policy] = self.ietf;
        let items = state.map(|state| Item::all(state, policy));
        items.into_iter().flatten()
    }

    /// Returns the limit that is known to have run out; among several, the one with the longest period.
    pub(crate) fn exhausted(&self) -> Option<(Dimension, Period)> {
        let items = self.ietf_items().filter(|item| item.remaining == Some(0));
        let items = items.map(|item| (item.dimension, item.period));
        let limits = self.limits.exhausted();
        items
            .chain(limits)
            .max_by_key(|(dimension, period)| (*period, *dimension))
    }

    /// Returns the server's time at which the response was made.
    pub(crate) fn date(&self) -> Option<SystemTime> {
        date::parse(self.signals.date?)
    }

    fn push(&mut self, field: Field, value: &'a [u8], slots: &mut Slots) {
        match field {
            Field::Limit(_, Part::Limit) if !self.wants_limits => {}
            Field::Limit(key, part) => self.limits.push(key, part, value),
            Field::Seconds(source) => push_stated(source, seconds_or_date(value), slots),
            Field::Millis(source) => {
                let wait = duration::parse(value, Unit::MILLISECOND);
                push_stated(source, wait.map(When::After), slots);
            }
            Field::RenewalPeriod(dimension) => self.limits.push_renewal(dimension, value),
            Field::LimitType => self.limits.push_named(value),
            Field::PolicyId => {
                self.limits.named = self.limits.named.max(signals::policy_dimension(value));
            }
            Field::Ietf(Ietf::State) => self.ietf[0] = later(self.ietf[0], value),
            Field::Ietf(Ietf::Policy) => self.ietf[1] = later(self.ietf[1], value),
            Field::Date => self.signals.date = later(self.signals.date, value),
            Field::Utilization => self.signals.utilization = later(self.signals.utilization, value),
            Field::ShouldRetry => self.signals.push_should_retry(value),
            Field::ErrorType => self.signals.error_type = later(self.signals.error_type, value),
            Field::ThrottleReason => {
                self.signals.throttle_reason = later(self.signals.throttle_reason, value);
            }
            Field::EnvoyRateLimited => self.signals.is_proxy_limit |= signals::is_true(value),
            Field::EnvoyOverloaded => self.signals.is_overloaded |= signals::is_true(value),
            Field::Grpc(Grpc::Pushback) => self.push_pushback(value, slots),
            Field::Grpc(Grpc::Status) => {
                self.signals.grpc_status = later(self.signals.grpc_status, value);
            }
            Field::Grpc(Grpc::Message) => {
                self.signals.grpc_message = later(self.signals.grpc_message, value);
            }
            Field::Grpc(Grpc::Details) => {
                self.signals.grpc_details = later(self.signals.grpc_details, value);
            }
        }
    }

    /// Reads gRPC proposal A6: an exact wait in milliseconds. A negative or invalid number forbids a retry.
    fn push_pushback(&mut self, value: &[u8], slots: &mut Slots) {
        let millis = std::str::from_utf8(value)
            .ok()
            .and_then(|text| text.parse::<i32>().ok());
        match millis.and_then(|millis| u64::try_from(millis).ok()) {
            Some(millis) => {
                let wait = std::time::Duration::from_millis(millis);
                push_stated(Source::GrpcPushback, Some(When::After(wait)), slots);
            }
            None => self.signals.should_retry = Some(false),
        }
    }
}

fn push_stated(source: Source, when: Option<When>, slots: &mut Slots) {
    if let Some(when) = when {
        slots.push(Candidate::stated(source, when));
    }
}

/// Parses a wait. RFC 9110, section 10.2.3, allows whole seconds or a date. Groq sends fractions of seconds, and some
/// servers send an epoch.
fn seconds_or_date(value: &[u8]) -> Option<When> {
    let Some(wait) = duration::parse(value, Unit::SECOND) else {
        return date::parse(value).map(When::At);
    };
    if wait >= reset::FIRST_EPOCH
        && let Some(number) = Decimal::parse(value)
        && wait < LAST_EPOCH
    {
        return reset::epoch(number, wait);
    }
    Some(When::After(wait))
}

/// Returns the value that sorts last when a single-value field appears twice, so that their order does not matter.
fn later<'a>(held: Option<&'a [u8]>, value: &'a [u8]) -> Option<&'a [u8]> {
    held.max(Some(value))
}

/// Above this, even in milliseconds, a number is too large for a time of day.
const LAST_EPOCH: std::time::Duration = std::time::Duration::from_secs(100_000_000_000_000);
