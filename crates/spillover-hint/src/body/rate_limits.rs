//! Reads `rate_limits.updated` of OpenAI's Realtime API, which reports remaining quota in an event instead of header
//! fields.
//!
//! <https://platform.openai.com/docs/api-reference/realtime-server-events/rate_limits/updated>

use serde_json::Value;

use crate::{
    Dimension, Period, Quota, Quotas, Source, When,
    body::{Body, parse},
    headers::Key,
    value::{decimal::Decimal, reset},
};

pub(crate) fn read(event: &[u8]) -> Option<Quotas> {
    let Body::Json(event) = parse(event) else {
        return None;
    };
    if event.get("type")?.as_str()? != "rate_limits.updated" {
        return None;
    }
    let mut quotas = Quotas::default();
    for limit in event.get("rate_limits")?.as_array()? {
        let Some(name) = limit.get("name").and_then(Value::as_str) else {
            continue;
        };
        if let Some(dimension) = Dimension::named(name.as_bytes()) {
            quotas.push(Quota {
                key: Key {
                    source: Source::Reset,
                    dimension,
                    period: Period::Unknown,
                },
                limit: count(limit.get("limit")),
                remaining: count(limit.get("remaining")),
                reset: seconds(limit.get("reset_seconds")),
            });
        }
    }
    Some(quotas)
}

fn count(value: Option<&Value>) -> Option<u64> {
    let number = value?.as_number()?.to_string();
    Decimal::parse(number.as_bytes()).map(Decimal::count)
}

fn seconds(value: Option<&Value>) -> Option<When> {
    reset::parse(value?.as_number()?.to_string().as_bytes())
}
