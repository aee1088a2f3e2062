use arc_swap::ArcSwap;
use http::HeaderValue;
use tokio::time::Instant;

use super::{Failure, Fresh, Missing};

/// The current token, read by every request and written by one task.
pub(super) struct Slot {
    started: Instant,
    state: ArcSwap<State>,
}

impl Slot {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            started: now,
            state: ArcSwap::default(),
        }
    }

    pub(super) fn bearer(&self, now: Instant) -> Result<HeaderValue, Missing> {
        let state = self.state.load();
        match &state.held {
            Some(held) if now < held.valid_until => Ok(held.bearer.clone()),
            held => {
                let expired = held.as_ref().map(|held| held.valid_until);
                Err(Missing {
                    since: now.saturating_duration_since(expired.unwrap_or(self.started)),
                    expired: expired.is_some(),
                    failure: state.trouble.as_ref().map(|trouble| trouble.last.clone()),
                })
            }
        }
    }

    pub(super) fn status(&self) -> Status {
        let state = self.state.load();
        let (held, trouble) = (state.held.as_ref(), state.trouble.as_ref());
        Status {
            source: held.map(|held| held.source),
            valid_until: held.map(|held| held.valid_until),
            failing_since: trouble.map(|trouble| trouble.since),
            failures: trouble.map_or(0, |trouble| trouble.failures),
            last_error: trouble.map(|trouble| trouble.last.clone()),
        }
    }

    pub(super) fn valid_until(&self) -> Option<Instant> {
        self.state.load().held.as_ref().map(|held| held.valid_until)
    }

    pub(super) fn put(&self, held: Held) {
        let state = State {
            held: Some(held),
            trouble: None,
        };
        self.state.store(state.into());
    }

    /// Stores a token, and returns the number of consecutive failures before it.
    pub(super) fn fail(&self, failure: Failure, now: Instant) -> u32 {
        let state = self.state.load();
        let before = state.trouble.as_ref();
        let failures = before.map_or(0, |before| before.failures).saturating_add(1);
        let state = State {
            held: state.held.clone(),
            trouble: Some(Trouble {
                since: before.map_or(now, |before| before.since),
                failures,
                last: failure,
            }),
        };
        self.state.store(state.into());
        failures
    }
}

/// State of a token source, without the token.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Status {
    /// Name of the source of the last token.
    pub source: Option<&'static str>,
    /// Expiry of the last token.
    pub valid_until: Option<Instant>,
    /// Time of the first failure since the last token.
    pub failing_since: Option<Instant>,
    /// Number of consecutive failures.
    pub failures: u32,
    /// Reason of the last failure.
    pub last_error: Option<Failure>,
}

#[derive(Default)]
struct State {
    held: Option<Held>,
    trouble: Option<Trouble>,
}

#[derive(Clone)]
pub(super) struct Held {
    bearer: HeaderValue,
    valid_until: Instant,
    source: &'static str,
}

impl Held {
    pub(super) fn new(fresh: &Fresh, now: Instant) -> Result<Self, Failure> {
        if fresh.valid_for.is_zero() {
            return Err(Failure::new("the token that came had expired already"));
        }
        let valid_until = now
            .checked_add(fresh.valid_for)
            .ok_or_else(|| Failure::new("the token that came expires too far in the future"))?;
        Ok(Self {
            bearer: bearer(&fresh.token)?,
            valid_until,
            source: fresh.source,
        })
    }
}

struct Trouble {
    since: Instant,
    failures: u32,
    last: Failure,
}

/// Returns the value of `authorization` (RFC 6750 section 2.1). Accepts every visible ASCII character, since tokens are opaque.
fn bearer(token: &str) -> Result<HeaderValue, Failure> {
    let is_token = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
    let value = HeaderValue::try_from(format!("Bearer {token}"));
    match value {
        Ok(mut value) if is_token => {
            value.set_sensitive(true);
            Ok(value)
        }
        _ => Err(Failure::new(
            "what came as a token cannot be one: it is no header value",
        )),
    }
}
