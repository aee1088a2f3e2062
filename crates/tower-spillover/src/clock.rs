use std::time::SystemTime;

/// Upstreams and clients name dates: here, and nowhere else, the time of day enters.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place where a date becomes a duration"
)]
pub(crate) fn wall_clock() -> SystemTime {
    SystemTime::now()
}
