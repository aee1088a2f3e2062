use std::time::Duration;

use spillover_hint::{Hint, Source};

use crate::Class;

/// The time for which a backend is closed, with the part of the response that stated it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cooldown {
    duration: Duration,
    cap: Duration,
    source: Option<Source>,
}

impl Cooldown {
    /// The shortest cooldown. A shorter wait is less than a round trip, and obeying it only wastes attempts. The floor
    /// of a backend doubles each time the backend refuses the first attempt after a wait that it asked for. A response
    /// that is served resets it.
    pub const FLOOR: Duration = Duration::from_millis(100);

    /// Creates a cooldown. Without a source it is a default.
    #[must_use]
    pub fn new(duration: Duration, source: Option<Source>) -> Self {
        Self {
            duration,
            cap: Duration::MAX,
            source,
        }
    }

    /// Returns this cooldown with another duration.
    pub(crate) fn with_duration(self, duration: Duration) -> Self {
        Self { duration, ..self }
    }

    /// Returns the duration.
    #[must_use]
    pub fn duration(&self) -> Duration {
        self.duration
    }

    /// Returns the upper bound of a growing floor.
    #[must_use]
    pub fn cap(&self) -> Duration {
        self.cap
    }

    /// Returns the part of the response that stated the time. `None` for a default.
    #[must_use]
    pub fn source(&self) -> Option<Source> {
        self.source
    }
}

impl Default for Cooldown {
    fn default() -> Self {
        Self::new(Duration::ZERO, None)
    }
}

/// The rules for the cooldown after a refusal: the backend's own hint within bounds, or a default. The default and the
/// bounds depend on the class.
///
/// | class | default | cap |
/// |---|---|---|
/// | [`Class::Throttled`], [`Class::Capacity`], [`Class::Failing`], [`Class::Credential`] | 10 s | 60 s |
/// | [`Class::Quota`] | 5 min | 24 h |
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use http::HeaderMap;
/// use spillover_core::{Class, Cooldowns};
/// use spillover_hint::Hints;
///
/// let mut headers = HeaderMap::new();
/// let cooldowns = Cooldowns::default();
/// let cooldown = |class, headers: &HeaderMap| {
///     let hint = Hints::from_headers(headers).choose(SystemTime::UNIX_EPOCH);
///     cooldowns.resolve(class, hint, 0).duration()
/// };
/// assert_eq!(cooldown(Class::Throttled, &headers), Duration::from_secs(10));
///
/// headers.insert("retry-after", "3".parse()?);
/// assert_eq!(cooldown(Class::Throttled, &headers), Duration::from_secs(3));
///
/// headers.insert("retry-after", "86400".parse()?);
/// assert_eq!(cooldown(Class::Throttled, &headers), Duration::from_secs(60));
/// assert_eq!(cooldown(Class::Quota, &headers), Duration::from_secs(86_400));
/// # Ok::<_, http::header::InvalidHeaderValue>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[must_use]
pub struct Cooldowns {
    default: Duration,
    cap: Duration,
    quota_default: Duration,
    quota_cap: Duration,
    jitter: f64,
}

impl Cooldowns {
    /// Sets the cooldown for a refusal without a hint. Default 10 s.
    pub fn default_cooldown(self, default: Duration) -> Self {
        Self { default, ..self }
    }

    /// Sets the longest cooldown, whatever the backend says. Default 60 s.
    pub fn cap(self, cap: Duration) -> Self {
        Self { cap, ..self }
    }

    /// Sets the cooldown for a used-up quota without a hint. Default 5 min.
    pub fn default_quota_cooldown(self, default: Duration) -> Self {
        Self {
            quota_default: default,
            ..self
        }
    }

    /// Sets the longest cooldown for a used-up quota. Default 24 h.
    pub fn quota_cap(self, cap: Duration) -> Self {
        Self {
            quota_cap: cap,
            ..self
        }
    }

    /// Lengthens each cooldown at random by up to this share, so that many instances do not come back at once. No
    /// cooldown is shortened, because the server said when. Default 0, because paid-for capacity must not idle. For
    /// example, with a share of 0.1 a cooldown of 10 s ends after 10 to 11 s.
    ///
    /// A share below 0 or NaN counts as 0, a share above 1 as 1.
    pub fn jitter(self, share: f64) -> Self {
        Self {
            jitter: if share.is_nan() {
                0.0
            } else {
                share.clamp(0.0, 1.0)
            },
            ..self
        }
    }

    /// Returns the cooldown after a refusal of this class with this hint: between [`Cooldown::FLOOR`] and the cap.
    /// `draw` is a uniform random number, for the jitter.
    #[must_use]
    pub fn resolve(&self, class: Class, hint: Option<Hint>, draw: u64) -> Cooldown {
        let (default, cap) = match class {
            Class::Quota => (self.quota_default, self.quota_cap),
            _ => (self.default, self.cap),
        };
        let wait = hint.map_or(default, |hint| hint.wait()).min(cap);
        bounded(
            self.lengthen(wait, draw),
            cap,
            hint.map(|hint| hint.source()),
        )
    }

    /// Returns the cooldown for a wait that a successful response announces, e.g. because its window is used up.
    #[must_use]
    pub fn bound(&self, wait: Duration, source: Source) -> Cooldown {
        bounded(wait, self.cap, Some(source))
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "a random share needs no more digits than a float has"
    )]
    fn lengthen(&self, wait: Duration, draw: u64) -> Duration {
        let share = self.jitter * (draw as f64 / u64::MAX as f64);
        wait.saturating_add(Duration::try_from_secs_f64(wait.as_secs_f64() * share).unwrap_or(wait))
    }
}

fn bounded(wait: Duration, cap: Duration, source: Option<Source>) -> Cooldown {
    Cooldown {
        duration: wait.min(cap).max(Cooldown::FLOOR),
        cap: cap.max(Cooldown::FLOOR),
        source,
    }
}

impl Default for Cooldowns {
    fn default() -> Self {
        Self {
            default: Duration::from_secs(10),
            cap: Duration::from_secs(60),
            quota_default: Duration::from_secs(5 * 60),
            quota_cap: Duration::from_secs(24 * 60 * 60),
            jitter: 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use http::{HeaderMap, HeaderValue};
    use spillover_hint::Hints;

    use super::*;

    fn hint(seconds: &'static str) -> Option<Hint> {
        let mut headers = HeaderMap::new();
        headers.insert("retry-after", HeaderValue::from_static(seconds));
        Hints::from_headers(&headers).choose(SystemTime::UNIX_EPOCH)
    }

    #[test]
    fn jitter_lengthens_within_the_cap_and_never_shortens() {
        let seconds = |jitter: f64, wait, draw| {
            let cooldowns = Cooldowns::default().jitter(jitter);
            let cooldown = cooldowns.resolve(Class::Throttled, hint(wait), draw);
            cooldown.duration().as_secs_f64()
        };
        assert_eq!(seconds(0.0, "10", u64::MAX), 10.0);
        assert_eq!(seconds(0.5, "10", 0), 10.0);
        assert_eq!(seconds(0.5, "10", u64::MAX), 15.0);
        assert!((seconds(0.5, "10", u64::MAX / 2) - 12.5).abs() < 1e-6);
        assert_eq!(seconds(0.5, "58", u64::MAX), 60.0);
        for odd in [-1.0, f64::NAN, f64::NEG_INFINITY] {
            assert_eq!(seconds(odd, "10", u64::MAX), 10.0);
        }
        assert_eq!(seconds(f64::INFINITY, "10", u64::MAX), 20.0);
    }

    #[test]
    fn each_class_has_its_default_and_its_cap() {
        let cooldowns = Cooldowns::default();
        let seconds = |class, hint| cooldowns.resolve(class, hint, 0).duration().as_secs();
        for class in [
            Class::Throttled,
            Class::Capacity,
            Class::Failing,
            Class::Credential,
        ] {
            assert_eq!(seconds(class, None), 10);
            assert_eq!(seconds(class, hint("100000")), 60);
        }
        assert_eq!(seconds(Class::Quota, None), 300);
        assert_eq!(seconds(Class::Quota, hint("3600")), 3_600);
        assert_eq!(seconds(Class::Quota, hint("100000")), 86_400);
    }

    #[test]
    fn cap_below_the_floor_gives_way_to_it() {
        let cooldowns = Cooldowns::default().cap(Duration::ZERO);
        let cooldown = cooldowns.resolve(Class::Throttled, hint("5"), 0);
        assert_eq!(cooldown.duration(), Cooldown::FLOOR);
        assert_eq!(cooldown.cap(), Cooldown::FLOOR);
    }
}
