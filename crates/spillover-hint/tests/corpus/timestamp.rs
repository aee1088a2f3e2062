use crate::{check_values, millis, nanos, secs};

/// The corpus is read at `07:27:00`.
#[test]
fn rfc_3339_timestamps_are_read() {
    let table = [
        ("2015-10-21T07:27:37Z", secs(37)),
        ("2015-10-21T07:27:37+00:00", secs(37)),
        ("2015-10-21T02:27:37-05:00", secs(37)),
        ("2015-10-21T09:27:37+02:00", secs(37)),
        ("2015-10-22T00:27:37+17:00", secs(37)),
        ("2015-10-21T07:27:37.123Z", millis(37_123)),
        ("2015-10-21T07:27:37.123456789Z", nanos(37_123_456_789)),
        ("2015-10-21T07:27:37.12345678999Z", nanos(37_123_456_789)),
        ("2015-10-21t07:27:37z", secs(37)),
        ("2015-10-21 07:27:37Z", secs(37)),
        ("2015-10-21T07:27:37", secs(37)),
        (" 2015-10-21T07:27:37Z ", secs(37)),
        ("\"2015-10-21T07:27:37Z\"", secs(37)),
        ("2015-10-21T07:27:60Z", secs(60)),
        ("2015-10-21T07:26:00Z", secs(0)),
        ("1970-01-01T00:00:00Z", secs(0)),
        ("2016-02-29T07:27:00Z", secs(131 * 86_400)),
        ("2016-03-01T07:27:00Z", secs(132 * 86_400)),
        ("9999-12-31T23:59:59Z", secs(251_956_888_379)),
        ("2026-02-30T07:27:37Z", None),
        ("2015-02-29T07:27:37Z", None),
        ("2100-02-29T07:27:37Z", None),
        ("2015-00-21T07:27:37Z", None),
        ("2015-13-21T07:27:37Z", None),
        ("2015-10-00T07:27:37Z", None),
        ("2015-10-32T07:27:37Z", None),
        ("2015-11-31T07:27:37Z", None),
        ("1969-12-31T23:59:59Z", None),
        ("1970-01-01T00:00:00+01:00", None),
        ("2015-10-21T24:27:37Z", None),
        ("2015-10-21T07:60:37Z", None),
        ("2015-10-21T07:27:61Z", None),
        ("2015-10-21T07:27Z", None),
        ("2015-10-21", None),
        ("2015-10-21T07:27:37.Z", None),
        ("2015-10-21T07:27:37+0000", None),
        ("2015-10-21T07:27:37 Z", None),
        ("2015-10-21T07:27:37Zulu", None),
        ("2015-10-21X07:27:37Z", None),
        ("15-10-21T07:27:37Z", None),
    ];
    check_values("anthropic-ratelimit-tokens-reset", &table);
    check_values("x-ratelimit-reset", &table);
}

#[test]
fn number_is_read_as_epoch_or_wait_by_its_size() {
    let month = 30 * 86_400;
    let table = [
        ("1", secs(1)),
        ("33011.382867097855", nanos(33_011_382_867_097)),
        ("2591999", secs(month - 1)),
        // Numbers between a month and the year 2001 are rejected.
        ("2592000", None),
        ("999999999", None),
        // An epoch in seconds, in the past and in the future.
        ("1000000000", secs(0)),
        ("1445412420", secs(0)),
        ("1445412462", secs(42)),
        ("1445412462.5", millis(42_500)),
        ("1722556800", secs(277_144_380)),
        ("\"1722556800\"", secs(277_144_380)),
        ("99999999999", secs(98_554_587_579)),
        // An epoch in milliseconds.
        ("100000000000", secs(0)),
        ("1445412462000", secs(42)),
        ("1445412462500", millis(42_500)),
        ("1788220800000", secs(342_808_380)),
        ("-1445412462", None),
        ("30, 60", secs(60)),
        ("1445412462, 1445412463", None),
    ];
    check_values("x-ratelimit-reset", &table);
    check_values("x-ratelimit-reset-tokens", &table);
    check_values("ratelimit-reset", &table);
}

/// A `retry-after` may be long, but a number as large as an epoch is read as an epoch.
#[test]
fn epoch_in_retry_after_is_read() {
    check_values(
        "retry-after",
        &[
            ("2592000", secs(2_592_000)),
            ("999999999", secs(999_999_999)),
            ("1445412462", secs(42)),
            ("1445412462000", secs(42)),
            ("1000000000", secs(0)),
            ("100000000000000", secs(100_000_000_000_000)),
        ],
    );
}
