use spillover_hint::Dimension::Unspecified;

use crate::{MAX, check_choices, check_values, millis, nanos, secs};

const VALUES: &[(&str, Option<std::time::Duration>)] = &[
    ("0", secs(0)),
    ("1", millis(1)),
    ("1500", millis(1_500)),
    (" 1500 ", millis(1_500)),
    ("1500.7", nanos(1_500_700_000)),
    ("2000", secs(2)),
    ("2000ms", secs(2)),
    ("2000 ms", secs(2)),
    ("2s", secs(2)),
    ("847.655010", nanos(847_655_010)),
    ("1e3", secs(1)),
    ("1500, 2000", secs(2)),
    ("99999999999999999999999999", Some(MAX)),
    ("1e400", Some(MAX)),
    ("-0", None),
    ("-1", None),
    ("-1500", None),
    ("NaN", None),
    ("inf", None),
    ("", None),
    ("null", None),
    ("2,000", None),
    // Only `retry-after` may be a date.
    ("Wed, 21 Oct 2015 07:28:00 GMT", None),
];

#[test]
fn retry_after_ms_is_read() {
    check_values("retry-after-ms", VALUES);
}

#[test]
fn x_ms_retry_after_ms_is_read() {
    check_values("x-ms-retry-after-ms", VALUES);
}

#[test]
fn milliseconds_are_chosen_unless_seconds_have_the_same_number() {
    let ms = "retry-after-ms";
    let x_ms = "x-ms-retry-after-ms";
    let seconds = "retry-after";
    let from = |wait: Option<_>, source| wait.map(|wait| (wait, source, Unspecified));
    check_choices(&[
        // Azure OpenAI: milliseconds are more exact than rounded seconds.
        (
            "retry-after-ms: 1500
             retry-after: 2",
            from(millis(1_500), ms),
        ),
        (
            "x-ms-retry-after-ms: 1500
             retry-after: 2",
            from(millis(1_500), x_ms),
        ),
        (
            "x-ms-retry-after-ms: 700
             retry-after-ms: 500",
            from(millis(500), ms),
        ),
        // Zero is replaced by a value that is not zero.
        (
            "retry-after-ms: 0
             retry-after: 1",
            from(secs(1), seconds),
        ),
        (
            "retry-after-ms: 0
             x-ms-retry-after-ms: 700
             retry-after: 1",
            from(millis(700), x_ms),
        ),
        (
            "retry-after-ms: 700
             retry-after: 0",
            from(millis(700), ms),
        ),
        (
            "retry-after-ms: 0.5
             retry-after: 0",
            from(nanos(500_000), ms),
        ),
        (
            "retry-after-ms: 0
             retry-after: 0",
            from(secs(0), ms),
        ),
        (
            "retry-after-ms: 0
             retry-after: Wed, 21 Oct 2015 07:27:45 GMT",
            from(secs(45), seconds),
        ),
        // Both fields have the same number: the server sent seconds as milliseconds.
        (
            "retry-after-ms: 30
             retry-after: 30",
            from(secs(30), seconds),
        ),
        (
            "retry-after-ms: 29.3
             retry-after: 30",
            from(secs(30), seconds),
        ),
        (
            "x-ms-retry-after-ms: 30
             retry-after: 30",
            from(secs(30), seconds),
        ),
        // The numbers differ: the milliseconds are chosen, whatever the difference.
        (
            "retry-after-ms: 1500
             retry-after: 3600",
            from(millis(1_500), ms),
        ),
        (
            "retry-after-ms: 29
             retry-after: 30",
            from(millis(29), ms),
        ),
        (
            "retry-after-ms: 30000
             retry-after: 1",
            from(secs(30), ms),
        ),
        // An unreadable value is ignored.
        (
            "retry-after-ms: -1
             retry-after: 5",
            from(secs(5), seconds),
        ),
        (
            "retry-after-ms: 5
             retry-after: soon",
            from(millis(5), ms),
        ),
        (
            "retry-after-ms: -1
             retry-after: -1",
            None,
        ),
    ]);
}
