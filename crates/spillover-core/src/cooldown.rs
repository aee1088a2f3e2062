use std::time::Duration;

use spillover_hint::{Hint, Source};

/// For how long a backend is closed, and which part of the answer said so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cooldown {
    duration: Duration,
    source: Option<Source>,
}

impl Cooldown {
    /// A cooldown; without a source it is nobody's word but the default.
    #[must_use]
    pub fn new(duration: Duration, source: Option<Source>) -> Self {
        Self { duration, source }
    }

    /// How long.
    #[must_use]
    pub fn duration(&self) -> Duration {
        self.duration
    }

    /// Where the backend said so; `None` when it did not.
    #[must_use]
    pub fn source(&self) -> Option<Source> {
        self.source
    }
}

/// How long a refusal closes a backend: its own hint within bounds, or a default.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use http::HeaderMap;
/// use spillover_core::Cooldowns;
/// use spillover_hint::Hints;
///
/// let mut headers = HeaderMap::new();
/// let cooldowns = Cooldowns::default();
/// let read = |headers: &HeaderMap| Hints::from_headers(headers).choose(SystemTime::UNIX_EPOCH);
/// assert_eq!(cooldowns.resolve(read(&headers)).duration(), Duration::from_secs(10));
///
/// headers.insert("retry-after", "3".parse()?);
/// assert_eq!(cooldowns.resolve(read(&headers)).duration(), Duration::from_secs(3));
///
/// headers.insert("retry-after", "86400".parse()?);
/// assert_eq!(cooldowns.resolve(read(&headers)).duration(), Duration::from_secs(60));
/// # Ok::<_, http::header::InvalidHeaderValue>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Cooldowns {
    default: Duration,
    cap: Duration,
}

impl Cooldowns {
    /// Below this a wait is shorter than a round trip, and obeying it only wastes attempts.
    pub const FLOOR: Duration = Duration::from_millis(100);

    /// Used when the backend did not say how long. Default 10 s.
    pub fn default_cooldown(self, default: Duration) -> Self {
        Self { default, ..self }
    }

    /// The longest cooldown, whatever the backend says. Default 60 s.
    pub fn cap(self, cap: Duration) -> Self {
        Self { cap, ..self }
    }

    /// The cooldown that follows from a hint: between [`FLOOR`](Self::FLOOR) and the cap.
    #[must_use]
    pub fn resolve(&self, hint: Option<Hint>) -> Cooldown {
        let wait = hint.map_or(self.default, |hint| hint.wait());
        Cooldown {
            duration: wait.min(self.cap).max(Self::FLOOR),
            source: hint.map(|hint| hint.source()),
        }
    }
}

impl Default for Cooldowns {
    fn default() -> Self {
        Self {
            default: Duration::from_secs(10),
            cap: Duration::from_secs(60),
        }
    }
}
