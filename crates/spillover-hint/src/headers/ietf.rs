//! Reads `ratelimit` and `ratelimit-policy` of the newer IETF drafts, which are structured fields (RFC 9651).
//!
//! In <https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/>, `"default";r=0;t=30` means that nothing
//! remains under the policy `default` for 30 seconds. `"default";q=100;w=60` means that the policy allows 100 in 60
//! seconds. The form of the drafts in between, `limit=100, remaining=0, reset=30`, is read too.

use std::time::Duration;

use crate::{
    Dimension, Period,
    value::{decimal::Decimal, duration::duration},
};

/// One member of either field. Unreadable parameters are absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Item<'a> {
    name: &'a [u8],
    pub(crate) limit: Option<u64>,
    pub(crate) remaining: Option<u64>,
    pub(crate) reset: Option<Duration>,
    pub(crate) period: Period,
    pub(crate) dimension: Dimension,
}

impl<'a> Item<'a> {
    /// Returns the members of `ratelimit`, each completed from `ratelimit-policy`.
    pub(crate) fn all(state: &'a [u8], policy: Option<&'a [u8]>) -> impl Iterator<Item = Self> {
        let dictionary = Self::dictionary(state);
        let members = match dictionary {
            Some(_) => None,
            None => Some(split(state, b',').filter_map(Self::member)),
        };
        let members = members.into_iter().flatten().map(move |item| {
            let policies = split(policy.unwrap_or_default(), b',').take(MAX_ITEMS);
            let mut policies = policies.filter_map(Self::member);
            match policies.find(|policy| policy.name == item.name) {
                Some(policy) => Self {
                    limit: item.limit.or(policy.limit),
                    period: policy.period,
                    dimension: policy.dimension,
                    ..item
                },
                None => item,
            }
        });
        dictionary.into_iter().chain(members).take(MAX_ITEMS)
    }

    /// Reads `"name";r=0;t=30`.
    fn member(text: &'a [u8]) -> Option<Self> {
        let mut parts = split(text, b';').map(<[u8]>::trim_ascii);
        let mut item = Self {
            name: parts.next().filter(|name| !name.is_empty())?,
            ..Self::default()
        };
        for parameter in parts {
            let Some((name, value)) = pair(parameter) else {
                continue;
            };
            match name {
                b"r" => item.remaining = count(value),
                b"t" => item.reset = seconds(value),
                b"q" => item.limit = count(value),
                b"w" => item.period = seconds(value).map_or(Period::Unknown, Period::from_window),
                b"qu" => {
                    let unit = value.strip_prefix(b"\"").unwrap_or(value);
                    let unit = unit.strip_suffix(b"\"").unwrap_or(unit);
                    item.dimension = Dimension::named(unit).unwrap_or_default();
                }
                _ => {}
            }
        }
        Some(item)
    }

    /// Reads `limit=100, remaining=0, reset=30`.
    fn dictionary(text: &'a [u8]) -> Option<Self> {
        let mut item = Self::default();
        for member in split(text, b',') {
            let (name, value) = pair(member.trim_ascii())?;
            match name {
                b"limit" => item.limit = count(value),
                b"remaining" => item.remaining = count(value),
                b"reset" => item.reset = seconds(value),
                _ => return None,
            }
        }
        Some(item)
    }
}

/// Splits a text at separators outside of quotes.
fn split(text: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    let mut in_quotes = false;
    text.split(move |byte| {
        in_quotes ^= *byte == b'"';
        *byte == separator && !in_quotes
    })
}

fn pair(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = text.iter().position(|byte| *byte == b'=')?;
    Some((text[..at].trim_ascii(), text[at + 1..].trim_ascii()))
}

fn count(value: &[u8]) -> Option<u64> {
    Decimal::parse(value).map(Decimal::count)
}

fn seconds(value: &[u8]) -> Option<Duration> {
    Decimal::parse(value).map(|number| duration(number.times(1_000_000_000)))
}

/// More policies than a server has. The bound matters because the work grows with the square.
const MAX_ITEMS: usize = 16;
