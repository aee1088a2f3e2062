//! Properties that hold for all inputs.

mod strategies;

use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::{collection::vec, option, prelude::*, sample::select};
use spillover_hint::{Hints, Quotas, Refusal, Report, Source};

use crate::strategies::{FIELDS, REPEATABLE, bodies, headers, line, statuses, times, values};

proptest! {
    /// No field panics, and the chosen wait belongs to one of the candidates.
    #[test]
    fn hint_is_one_of_the_candidates(headers in headers(), now in times()) {
        let hints = Hints::from_headers(&headers);
        let dates = headers.get_all("date").iter();
        let dates = dates.filter_map(|date| httpdate::parse_http_date(date.to_str().ok()?).ok());
        let clocks: Vec<_> = dates.chain([now]).collect();

        let hint = hints.choose(now);
        prop_assert_eq!(hint.is_none(), hints.is_empty());
        if let Some(hint) = hint {
            let is_candidate = hints.iter().any(|c| {
                let waits = clocks.iter().map(|now| c.when().wait(*now));
                c.source() == hint.source()
                    && c.dimension() == hint.dimension()
                    && waits.into_iter().any(|wait| wait == hint.wait())
            });
            prop_assert!(is_candidate, "{hint:?} is not in {hints:?}");
        }
    }

    /// The order of the lines does not matter, even with repeated fields.
    #[test]
    fn order_of_lines_does_not_change_the_result(
        lines in vec((select(&FIELDS[..]), values()), 0..40),
        status in statuses(),
        now in times(),
    ) {
        let forwards: HeaderMap = lines.iter().cloned().map(line).collect();
        let backwards: HeaderMap = lines.iter().rev().cloned().map(line).collect();
        let choose = |headers| Hints::from_headers(headers).choose(now);
        prop_assert_eq!(choose(&forwards), choose(&backwards));

        let summary = |headers| {
            let report = Report::from_head(status, headers)?;
            let limit = (report.dimension(), report.period());
            let advice = (report.should_retry(), report.needs_body());
            Some((report.refusal(), report.hint(now), limit, advice))
        };
        prop_assert_eq!(summary(&forwards), summary(&backwards));

        let sorted = |headers| {
            let quotas = Quotas::from_headers(headers);
            let mut quotas: Vec<_> = quotas.iter().map(|quota| format!("{quota:?}")).collect();
            quotas.sort_unstable();
            quotas
        };
        prop_assert_eq!(sorted(&forwards), sorted(&backwards));
    }

    /// No body panics, and results are bounded.
    #[test]
    fn body_of_any_bytes_is_read(status in statuses(), headers in headers(), body in bodies(), now in times()) {
        let Some(report) = Report::from_head(status, &headers) else {
            return Ok(());
        };
        let before = report.refusal();
        let report = report.with_body(&body);
        prop_assert!(!report.needs_body());
        prop_assert!(report.hints().iter().count() <= 16);
        prop_assert!(report.hint(now).is_none() || before != Refusal::TooLarge);
        if let Some(cause) = report.cause() {
            prop_assert!((1..=300).contains(&cause.chars().count()));
            prop_assert!(!cause.chars().any(char::is_control));
        }
        let _ = Report::from_event("error", &body).expect("an error").hint(now);
    }

    /// Adds fields with similar but unknown names.
    #[test]
    fn unknown_fields_do_not_change_the_hint(
        headers in headers(),
        others in vec(("x-[a-z]{1,8}-(reset|limit|after)", values()), 0..8),
        now in times(),
    ) {
        let before = Hints::from_headers(&headers).choose(now);
        let mut headers = headers;
        for (name, value) in others {
            headers.append(name.parse::<HeaderName>().expect("a name"), value);
        }
        prop_assert_eq!(Hints::from_headers(&headers).choose(now), before);
    }

    /// An unreadable line does not affect other lines.
    #[test]
    fn unreadable_line_does_not_change_the_hint(
        headers in headers(),
        name in select(&REPEATABLE[..]),
        value in values(),
        now in times(),
    ) {
        let before = Hints::from_headers(&headers).choose(now);
        let unreadable = [b"!", value.as_bytes()].concat();
        let mut headers = headers;
        headers.append(name, HeaderValue::from_bytes(&unreadable).expect("a value"));
        prop_assert_eq!(Hints::from_headers(&headers).choose(now), before);
    }

    #[test]
    fn seconds_are_read(seconds in 0..10_u64.pow(9)) {
        prop_assert_eq!(wait("retry-after", &seconds.to_string()), Some(Duration::from_secs(seconds)));
    }

    #[test]
    fn fractions_of_seconds_are_read(seconds in 0..10_u64.pow(9), nanos in 0..10_u32.pow(9)) {
        let expected = Some(Duration::new(seconds, nanos));
        prop_assert_eq!(wait("retry-after", &format!("{seconds}.{nanos:09}")), expected);
    }

    #[test]
    fn milliseconds_are_read(millis in 0..=10_u64.pow(18)) {
        prop_assert_eq!(wait("retry-after-ms", &millis.to_string()), Some(Duration::from_millis(millis)));
    }

    /// Floats as Rust prints them. Other languages differ only in exponents.
    #[test]
    fn floats_are_read(seconds in 0.0..1e6_f64) {
        let exact = Duration::from_secs_f64(seconds);
        for text in [format!("{seconds}"), format!("{seconds:e}")] {
            let wait = wait("retry-after", &text).expect("a wait");
            prop_assert!(wait.abs_diff(exact) <= Duration::from_nanos(1), "{text}: {wait:?}");
        }
    }

    #[test]
    fn negative_number_is_ignored(number in "-[0-9]{1,20}(\\.[0-9]{1,5})?(ms|s|m|h)?", field in select(&REPEATABLE[..])) {
        prop_assert_eq!(wait(field, &number), None);
    }

    /// Durations as Go prints them, except that every unit is present.
    #[test]
    fn go_durations_are_read(hours in 0..10_000_u64, minutes in 0..60_u64, millis in 0..60_000_u64) {
        let text = format!("{hours}h{minutes}m{}.{:03}s", millis / 1000, millis % 1000);
        let expected = Duration::from_millis(((hours * 60) + minutes) * 60_000 + millis);
        prop_assert_eq!(wait("x-ratelimit-reset-tokens", &text), Some(expected).filter(|e| !e.is_zero()));
    }

    /// Every date that `httpdate` prints, also with another zone and another day of the week.
    #[test]
    fn dates_are_read(
        seconds in 100_000..250_000_000_000_u64,
        before in 0..100_000_u64,
        zone in -840..=840_i64,
        weekday in select(&["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"][..]),
    ) {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let expected = Some(Duration::from_secs(before));
        let choose = |text: &str| {
            let headers = HeaderMap::from_iter([line(("retry-after", text.parse().expect("a value")))]);
            Hints::from_headers(&headers).choose(at(seconds - before)).map(|h| h.wait())
        };

        let utc = httpdate::fmt_http_date(at(seconds));
        prop_assert_eq!(choose(&utc), expected);
        prop_assert_eq!(choose(&utc.to_lowercase()), expected);
        prop_assert_eq!(choose(&format!("{weekday}{}", &utc[3..])), expected);

        let local = httpdate::fmt_http_date(at(seconds.saturating_add_signed(zone * 60)));
        let sign = if zone < 0 { '-' } else { '+' };
        let offset = format!("{sign}{:02}{:02}", zone.abs() / 60, zone.abs() % 60);
        prop_assert_eq!(choose(&local.replace("GMT", &offset)), expected);
    }

    /// The reset of a limit that is not exhausted is never chosen.
    #[test]
    fn reset_of_a_limit_that_is_not_exhausted_is_never_a_hint(
        remaining in 1..u64::MAX,
        reset in values(),
        kind in option::of(select(&["Tokens", "Requests"][..])),
    ) {
        let mut headers = HeaderMap::from_iter([
            line(("x-ratelimit-remaining-tokens", remaining.into())),
            line(("x-ratelimit-reset-tokens", reset.clone())),
            line(("x-rate-limit-reset-tokens", reset)),
        ]);
        if let Some(kind) = kind {
            headers.insert("x-ratelimit-type", HeaderValue::from_static(kind));
        }
        prop_assert!(Hints::from_headers(&headers).is_empty());
    }

    /// A reset replaces a stated wait only if that is zero or one second.
    #[test]
    fn stated_wait_above_one_second_is_never_replaced(headers in headers(), wait in 2..1_000_u64, now in times()) {
        let mut headers = headers;
        for name in ["retry-after-ms", "x-ms-retry-after-ms", "x-amz-retry-after", "grpc-retry-pushback-ms"] {
            headers.remove(name);
        }
        headers.remove("llm_provider-retry-after");
        headers.insert("retry-after", wait.into());
        let hint = Hints::from_headers(&headers).choose(now).expect("a hint");
        prop_assert_eq!((hint.source(), hint.wait()), (Source::RetryAfter, Duration::from_secs(wait)));
    }
}

fn wait(name: &'static str, value: &str) -> Option<Duration> {
    let headers = HeaderMap::from_iter([line((name, value.parse().expect("a value")))]);
    let hint = Hints::from_headers(&headers).choose(SystemTime::UNIX_EPOCH);
    hint.map(|hint| hint.wait())
}
