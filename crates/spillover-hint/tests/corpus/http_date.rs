use std::time::{Duration, SystemTime};

use http::header::{DATE, RETRY_AFTER};
use spillover_hint::{Hints, When};

use crate::{check_values, headers, millis, now, secs};

/// The corpus is read at `07:27:00`.
#[test]
fn three_forms_of_rfc_9110_are_read() {
    check_values(
        "retry-after",
        &[
            ("Wed, 21 Oct 2015 07:28:00 GMT", secs(60)),
            ("Wednesday, 21-Oct-15 07:28:00 GMT", secs(60)),
            ("Wed Oct 21 07:28:00 2015", secs(60)),
            ("Sun Nov  1 07:27:00 2015", secs(11 * 86_400)),
            (" Wed, 21 Oct 2015 07:28:00 GMT ", secs(60)),
        ],
    );
}

#[test]
fn deviating_date_forms_are_read() {
    check_values(
        "retry-after",
        &[
            ("wed, 21 oct 2015 07:28:00 gmt", secs(60)),
            ("WED, 21 OCT 2015 07:28:00 GMT", secs(60)),
            ("wednesday, 21-oct-15 07:28:00 gmt", secs(60)),
            ("wed oct 21 07:28:00 2015", secs(60)),
            // The wrong day of the week, or none.
            ("Mon, 21 Oct 2015 07:28:00 GMT", secs(60)),
            ("Monday, 21-Oct-15 07:28:00 GMT", secs(60)),
            ("Fri Oct 21 07:28:00 2015", secs(60)),
            ("21 Oct 2015 07:28:00 GMT", secs(60)),
            // Other names for UTC, and other zones.
            ("Wed, 21 Oct 2015 07:28:00 UTC", secs(60)),
            ("Wed, 21 Oct 2015 07:28:00 Z", secs(60)),
            ("Wed, 21 Oct 2015 07:28:00", secs(60)),
            ("Wed, 21 Oct 2015 07:28:00 +0000", secs(60)),
            ("Wed, 21 Oct 2015 07:28:00 -0000", secs(60)),
            ("Wed, 21 Oct 2015 08:28:00 +0100", secs(60)),
            ("Wed, 21 Oct 2015 08:28:00 +01:00", secs(60)),
            ("Wed Oct 21 2015 08:28:00 GMT+0100", secs(60)),
            ("Wed, 21 Oct 2015 02:28:00 -0500", secs(60)),
            ("Wed, 21 Oct 2015 01:58:00 -0530", secs(60)),
            ("Thu, 22 Oct 2015 00:28:00 +1700", secs(60)),
            // Days and hours of one digit.
            ("Sun, 1 Nov 2015 7:27:00 GMT", secs(11 * 86_400)),
            ("Wednesday, 21-Oct-2015 07:28:00 GMT", secs(60)),
        ],
    );
}

#[test]
fn leap_second_is_read() {
    let midnight = 16 * 3_600 + 33 * 60;
    check_values(
        "retry-after",
        &[
            ("Wed, 21 Oct 2015 23:59:59 GMT", secs(midnight - 1)),
            ("Wed, 21 Oct 2015 23:59:60 GMT", secs(midnight)),
            ("Thu, 22 Oct 2015 00:00:00 GMT", secs(midnight)),
            ("Wed, 21 Oct 2015 23:59:61 GMT", None),
        ],
    );
}

#[test]
fn past_date_is_a_wait_of_zero() {
    check_values(
        "retry-after",
        &[
            ("Wed, 21 Oct 2015 07:27:00 GMT", secs(0)),
            ("Wed, 21 Oct 2015 07:26:59 GMT", secs(0)),
            ("Thu, 01 Jan 1970 00:00:00 GMT", secs(0)),
            ("Thursday, 01-Jan-70 00:00:00 GMT", secs(0)),
            ("thursday, 01-jan-70 00:00:00 gmt", secs(0)),
            ("friday, 31-dec-99 23:59:59 gmt", secs(0)),
        ],
    );
}

#[test]
fn date_in_the_far_future_is_a_long_wait() {
    check_values(
        "retry-after",
        &[
            ("Thu, 21 Oct 2038 07:27:00 GMT", secs(8_401 * 86_400)),
            ("Monday, 21-Oct-69 07:27:00 GMT", secs(19_724 * 86_400)),
            ("monday, 21-oct-69 07:27:00 gmt", secs(19_724 * 86_400)),
            ("Fri, 31 Dec 9999 23:59:59 GMT", secs(251_956_888_379)),
            ("Fri, 31 Dec 9999 23:59:60 GMT", secs(251_956_888_380)),
        ],
    );
}

#[test]
fn invalid_date_is_ignored() {
    let long = format!("Wed, 21 Oct 2015 07:28:00 GMT{}", " GMT".repeat(20));
    let values = [
        "Wed, 30 Feb 2015 07:28:00 GMT",
        "Wed, 29 Feb 2015 07:28:00 GMT",
        "Wed, 00 Oct 2015 07:28:00 GMT",
        "Wed, 32 Oct 2015 07:28:00 GMT",
        "Wed, 21 Foo 2015 07:28:00 GMT",
        "Foo, 21 Oct 2015 07:28:00 GMT",
        "Wed, 21 Oct 2015 24:00:00 GMT",
        "Wed, 21 Oct 2015 07:60:00 GMT",
        "Wed, 21 Oct 2015 07:28 GMT",
        "Wed, 21 Oct 2015 07:28:00:00 GMT",
        "Wed, 21 Oct 2015 07:28:00 PDT",
        "Wed, 21 Oct 2015 07:28:00 +1",
        "Wed, 21 Oct 2015 07:28:00 GMT*",
        "Wed, 21 Oct 2015 07:28:00 GMT GMT",
        "Wed, 21 21 Oct 2015 07:28:00 GMT",
        "Wed, 21 Oct 015 07:28:00 GMT",
        "Wed, 21 Oct 1969 07:28:00 GMT",
        "Wednesday, 21-Oct-5 07:28:00 GMT",
        "Wednesday, 21-Oct-015 07:28:00 GMT",
        "Wednesday, 21-Oct 07:28:00 GMT",
        "Wed, 21 Oct 07:28:00 GMT",
        "Wed, 21 2015 07:28:00 GMT",
        "Wed, Oct 2015 07:28:00 GMT",
        "Wed, 21 Oct 2015",
        "Wed, -1 Oct 2015 07:28:00 GMT",
        "Wed, 21 Oct 2015 07:28:00 GMT\u{b5}",
        "Wed",
        "GMT",
        &long,
    ];
    for value in values {
        let wait = crate::wait_from("retry-after", value.as_bytes());
        assert_eq!(wait, None, "{value:?}");
    }
}

#[test]
fn date_of_the_response_replaces_the_local_clock() {
    let retry_after = "Wed, 21 Oct 2015 07:28:00 GMT";
    let table = [
        // The local clock is slow or fast.
        ("Wed, 21 Oct 2015 07:27:30 GMT", secs(30)),
        ("Wed, 21 Oct 2015 06:28:00 GMT", secs(3_600)),
        ("Wed, 21 Oct 2015 07:28:00 GMT", secs(0)),
        ("Wed, 21 Oct 2015 09:00:00 GMT", secs(0)),
        ("wed, 21 oct 2015 07:27:30 utc", secs(30)),
        // A local clock that is wrong by up to a day.
        ("Tue, 20 Oct 2015 07:27:00 GMT", secs(86_460)),
        ("Tue, 20 Oct 2015 07:26:59 GMT", secs(60)),
        ("Thu, 22 Oct 2015 07:27:00 GMT", secs(0)),
        ("Thu, 22 Oct 2015 07:27:01 GMT", secs(60)),
        // Implausible dates are ignored.
        ("Thu, 01 Jan 1970 00:00:00 GMT", secs(60)),
        ("Fri, 31 Dec 9999 23:59:59 GMT", secs(60)),
        ("now", secs(60)),
        ("", secs(60)),
    ];
    for (date, expected) in table {
        let mut headers = headers("");
        headers.insert(RETRY_AFTER, retry_after.parse().expect("a value"));
        headers.insert(DATE, date.parse().expect("a value"));
        let hint = Hints::from_headers(&headers).choose(now());
        assert_eq!(hint.map(|h| h.wait()), expected, "{date:?}");
    }
}

#[test]
fn numbers_do_not_need_a_clock() {
    let headers = headers(
        "retry-after: 30
         date: Wed, 21 Oct 2015 09:00:00 GMT",
    );
    let hints = Hints::from_headers(&headers);
    for now in [
        SystemTime::UNIX_EPOCH,
        now(),
        now() + Duration::from_secs(1 << 40),
    ] {
        assert_eq!(hints.choose(now).map(|h| h.wait()), secs(30));
    }
}

#[test]
fn wait_until_a_date_shrinks_with_time() {
    let hints = Hints::from_headers(&headers("retry-after: Wed, 21 Oct 2015 07:28:00 GMT"));
    let wait = |now| hints.choose(now).map(|h| h.wait());
    assert_eq!(wait(now() + Duration::from_millis(500)), millis(59_500));
    assert_eq!(wait(now() + Duration::from_secs(59)), secs(1));
    assert_eq!(wait(now() + Duration::from_secs(61)), secs(0));

    let candidate = hints.iter().next().expect("a candidate");
    assert_eq!(candidate.when(), When::At(now() + Duration::from_secs(60)));
}

/// A date in the body is compared with the `date` field of the response.
#[test]
fn date_of_the_response_applies_to_dates_in_the_body() {
    let body = r#"{"error":{"metadata":{"headers":{"x-ratelimit-remaining":"0","x-ratelimit-reset":"1445412462000"}}}}"#;
    crate::check_responses(&[(
        429,
        "date: Wed, 21 Oct 2015 07:27:30 GMT",
        body,
        "throttled: 12s by x-ratelimit-reset (exhausted), unspecified/unknown",
    )]);
}
