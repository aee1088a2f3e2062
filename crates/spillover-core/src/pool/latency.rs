//! The time that one backend takes to begin its responses.

use std::{sync::atomic::Ordering::Relaxed, time::Duration};

use super::{sync::AtomicU64, tick::Tick};

/// A moving average that follows a rise at once and a fall slowly, after Finagle's `PeakEwma` balancer.
///
/// The estimate also fades with time, so that a slow backend is tried again. Only a success lowers it. An attempt that
/// ends otherwise shows that a response would have taken at least as long. Such an attempt undoes the fading, so that
/// no backend looks fast by refusing.
#[derive(Debug, Default)]
pub(super) struct Latency {
    /// An [`Estimate`]. Zero is no estimate.
    bits: AtomicU64,
    /// The average of the latest successes, in 1/256 µs. Zero is none.
    average: AtomicU64,
}

/// The latency at the time of the stamp.
#[derive(Clone, Copy)]
struct Estimate {
    /// The latency in microseconds: never zero, at most an hour and eleven minutes.
    micros: u32,
    /// The low half of the tick, in [units](STAMP_SHIFT).
    stamp: u32,
}

impl Latency {
    /// Returns the estimate at this tick. `None` if there never was one, or it has faded to nothing.
    pub(super) fn read(&self, now: Tick) -> Option<Duration> {
        let micros = Estimate::from_bits(self.bits.load(Relaxed))?.faded(now);
        (micros >= 1.0).then(|| Duration::from_micros(micros as u64))
    }

    /// Returns the average time of the latest successes. `None` before the first.
    pub(super) fn average(&self) -> Option<Duration> {
        let average = self.average.load(Relaxed);
        (average != 0).then(|| Duration::from_nanos(average.saturating_mul(1000) / FRACTION))
    }

    /// Records an attempt that began at `begun` and was served.
    pub(super) fn served(&self, begun: Tick, now: Tick) {
        let observed = micros(begun, now);
        self.add_to_average(observed);
        self.update(now, |before| {
            let Some(before) = before else {
                return Some(observed);
            };
            let weight = before.weight(now);
            let faded = f64::from(before.micros) * weight;
            if f64::from(observed) >= faded {
                return Some(observed);
            }
            // Within one unit no time has passed that could lower the estimate. Most calls end here, without a write.
            let is_new = weight < 1.0;
            is_new.then(|| (faded + f64::from(observed) * (1.0 - weight)) as u32)
        });
    }

    /// Records an attempt that began at `begun` and ended otherwise.
    pub(super) fn not_served(&self, begun: Tick, now: Tick) {
        let observed = micros(begun, now);
        self.update(now, |before| {
            let least = before.map_or(UNKNOWN_MICROS, |before| before.micros);
            Some(least.max(observed))
        });
    }

    /// Moves the average by a part of the difference. Of two threads at one time, one may be lost.
    fn add_to_average(&self, micros: u32) {
        let (observed, before) = (u64::from(micros) * FRACTION, self.average.load(Relaxed));
        let after = match before {
            0 => observed,
            before => before - before / AVERAGED + observed / AVERAGED,
        };
        self.average.store(after.max(1), Relaxed);
    }

    fn update(&self, now: Tick, next: impl Fn(Option<Estimate>) -> Option<u32>) {
        let next = |bits| {
            let micros = next(Estimate::from_bits(bits))?.max(1);
            let stamp = stamp(now);
            Some(Estimate { micros, stamp }.to_bits())
        };
        // An error means that the estimate stays as it is.
        let _ = self.bits.fetch_update(Relaxed, Relaxed, next);
    }
}

impl Estimate {
    fn from_bits(bits: u64) -> Option<Self> {
        let micros = (bits >> 32) as u32;
        let stamp = bits as u32;
        (micros != 0).then_some(Self { micros, stamp })
    }

    fn to_bits(self) -> u64 {
        u64::from(self.micros) << 32 | u64::from(self.stamp)
    }

    fn faded(self, now: Tick) -> f64 {
        f64::from(self.micros) * self.weight(now)
    }

    /// Returns the weight of the estimate: 1 when it was set, then falling.
    fn weight(self, now: Tick) -> f64 {
        let units = stamp(now).wrapping_sub(self.stamp);
        // Another thread may have set it at a later tick than this one's.
        let is_later = units > u32::MAX - DISAGREEMENT;
        if units == 0 || is_later {
            return 1.0;
        }
        let passed = f64::from(units) * UNIT.as_secs_f64();
        (-passed / FADES_IN.as_secs_f64()).exp()
    }
}

/// Returns the duration of an attempt in microseconds, at least one.
fn micros(begun: Tick, now: Tick) -> u32 {
    let took = begun.until(now.get()).as_micros();
    u32::try_from(took).unwrap_or(u32::MAX).max(1)
}

fn stamp(now: Tick) -> u32 {
    (now.get() >> STAMP_SHIFT) as u32
}

/// The unit of stamps: 2^22 ns, about 4 ms, which is fine enough for a fading in seconds. An estimate without a change
/// for 208 days, the whole range, would look new and fade again.
const STAMP_SHIFT: u32 = 22;
const UNIT: Duration = Duration::from_nanos(1 << STAMP_SHIFT);

/// The largest difference between the ticks of two threads, in units: a minute. A thread that was not scheduled for a
/// while has an old tick.
const DISAGREEMENT: u32 = 1 << 14;

/// Parts of a microsecond in the average, so that small differences move it.
const FRACTION: u64 = 256;

/// The number of successes that the average is about.
const AVERAGED: u64 = 32;

/// The time after which an estimate counts for 1/e. Long enough to average over many responses, short enough to notice
/// a backend that has recovered.
const FADES_IN: Duration = Duration::from_secs(10);

/// The assumed latency of a backend that refuses, fails or is given up without ever having served. It is higher than
/// any real one, so that such a backend looks slow. The backend is explored again when the estimate has faded, within a
/// minute.
const UNKNOWN_MICROS: u32 = 60_000_000;

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn start() -> Tick {
        let origin = Instant::now();
        Tick::new(origin, origin)
    }

    /// Returns the latency after one success of this duration, and the tick of the success.
    fn served_in(took: Duration) -> (Latency, Tick) {
        let (latency, begun) = (Latency::default(), start());
        let now = begun.after(took);
        latency.served(begun, now);
        (latency, now)
    }

    #[test]
    fn average_is_that_of_successes_alone() {
        let (latency, begun) = (Latency::default(), start());
        latency.not_served(begun, begun.after(30_000 * MS));
        assert_eq!(latency.average(), None);
        latency.served(begun, begun.after(100 * MS));
        assert_eq!(latency.average(), Some(100 * MS));
        for _ in 0..500 {
            latency.served(begun, begun.after(200 * MS));
            latency.not_served(begun, begun);
        }
        let average = latency.average().unwrap();
        assert!((199 * MS..201 * MS).contains(&average), "{average:?}");
    }

    #[track_caller]
    fn assert_near(latency: &Latency, now: Tick, expected: Duration) {
        let read = latency.read(now).expect("there is an estimate");
        let off = read.as_secs_f64() / expected.as_secs_f64() - 1.0;
        assert!(off.abs() < 0.01, "{read:?}, expected {expected:?}");
    }

    #[test]
    fn there_is_none_before_the_first_answer() {
        assert_eq!(Latency::default().read(start()), None);
        let (latency, now) = served_in(40 * MS);
        assert_eq!(latency.read(now), Some(40 * MS));
    }

    #[test]
    fn rise_counts_at_once_and_a_fall_by_and_by() {
        let (latency, now) = served_in(40 * MS);
        let later = now.after(5000 * MS);
        latency.served(now, later);
        assert_eq!(latency.read(later), Some(5000 * MS));

        // 1/e of what was, and the rest of what is.
        let (latency, now) = served_in(1000 * MS);
        let later = now.after(10_000 * MS);
        latency.served(later, later.after(100 * MS));
        let e = std::f64::consts::E;
        let weight = (-1.01_f64).exp();
        assert!(weight < 1.0 / e);
        let expected = Duration::from_secs_f64(weight + 0.1 * (1.0 - weight));
        assert_near(&latency, later.after(100 * MS), expected);
    }

    #[test]
    fn many_answers_at_once_lower_it_no_more_than_one() {
        let (latency, now) = served_in(1000 * MS);
        let begun = now.after(1000 * MS);
        for i in 0..1000 {
            let now = begun.after(10 * MS + i * MS / 1000);
            latency.served(begun, now);
        }
        let weight = (-0.101_f64).exp();
        let expected = Duration::from_secs_f64(weight + 0.01 * (1.0 - weight));
        assert_near(&latency, begun.after(11 * MS), expected);
    }

    #[test]
    fn estimate_fades_with_time() {
        let (latency, now) = served_in(1000 * MS);
        let weight = (-3.0_f64).exp();
        assert_near(
            &latency,
            now.after(30_000 * MS),
            Duration::from_secs_f64(weight),
        );
        assert_eq!(latency.read(now.after(300_000 * MS)), None);
    }

    #[test]
    fn estimate_older_than_the_range_of_stamps_fades() {
        for days in [100, 110, 200] {
            let (latency, now) = served_in(1000 * MS);
            let later = now.after(Duration::from_secs(days * 24 * 60 * 60));
            latency.served(later, later.after(40 * MS));
            let later = later.after(60_000 * MS);
            latency.served(later, later.after(40 * MS));
            assert!(latency.read(later.after(40 * MS)) < Some(50 * MS), "{days}");
        }
    }

    #[test]
    fn attempt_that_was_not_served_only_raises_the_latency() {
        let (latency, now) = served_in(40 * MS);
        latency.not_served(now, now.after(MS));
        assert_eq!(latency.read(now.after(MS)), Some(40 * MS));
        let later = now.after(5000 * MS);
        latency.not_served(now, later);
        assert_eq!(latency.read(later), Some(5000 * MS));
    }

    #[test]
    fn backend_that_only_refuses_never_looks_fast() {
        let (latency, mut now) = served_in(40 * MS);
        let never_served = Latency::default();
        for _ in 0..100 {
            now = now.after(5000 * MS);
            for latency in [&latency, &never_served] {
                latency.not_served(now, now.after(MS));
            }
            assert!(latency.read(now.after(MS)) >= Some(40 * MS));
            assert!(never_served.read(now.after(MS)) >= Some(60_000 * MS));
        }
    }

    #[test]
    fn clocks_that_disagree_and_endless_answers_do_no_harm() {
        let (latency, now) = served_in(40 * MS);
        let before = Tick::from_bits(now.get() - 1_000_000_000).expect("not zero");
        latency.served(now, before);
        assert_eq!(latency.read(before), Some(40 * MS));

        latency.served(now, now.after(Duration::MAX));
        assert!(latency.read(now).is_some());
    }
}
