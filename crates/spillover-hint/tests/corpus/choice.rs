//! Responses that state several waits.

use spillover_hint::{
    Dimension::{self, Requests, Tokens, Unspecified},
    Hints, Source, When,
};

use crate::{check_choices, headers, millis, now, secs};

#[test]
fn stated_wait_is_chosen_before_a_reset() {
    check_choices(&[
        (
            "retry-after: 2
             x-ratelimit-remaining-tokens: 0
             x-ratelimit-reset-tokens: 300",
            secs(2).map(|wait| (wait, "retry-after", Unspecified)),
        ),
        (
            "retry-after-ms: 1500
             x-ratelimit-remaining-tokens: 0
             x-ratelimit-reset-tokens: 1s",
            millis(1_500).map(|wait| (wait, "retry-after-ms", Unspecified)),
        ),
        // A date is a stated wait too.
        (
            "retry-after: Wed, 21 Oct 2015 07:27:20 GMT
             x-ratelimit-remaining-tokens: 0
             x-ratelimit-reset-tokens: 300",
            secs(20).map(|wait| (wait, "retry-after", Unspecified)),
        ),
        (
            "retry-after: none
             x-ratelimit-remaining-tokens: 0
             x-ratelimit-reset-tokens: 300",
            secs(300).map(|wait| (wait, "x-ratelimit-reset", Tokens)),
        ),
        // Without a renewal period, waits of zero and one second are believed.
        (
            "retry-after: 0
             x-ratelimit-remaining-tokens: 0
             x-ratelimit-reset-tokens: 300",
            secs(0).map(|wait| (wait, "retry-after", Unspecified)),
        ),
        (
            "retry-after: 1
             x-ratelimit-remaining-tokens: 0
             x-ratelimit-reset-tokens: 300",
            secs(1).map(|wait| (wait, "retry-after", Unspecified)),
        ),
    ]);
}

#[test]
fn known_false_wait_is_replaced_by_the_reset_of_an_exhausted_limit() {
    check_choices(&[
        // Azure OpenAI, token limit: the reset is not longer than the stated wait.
        (
            "retry-after: 1
             retry-after-ms: 0
             x-ratelimit-remaining-tokens: 0
             x-ratelimit-reset-tokens: 0
             x-ratelimit-renewalperiod-tokens: 60
             x-ratelimit-type: Tokens",
            secs(1).map(|wait| (wait, "retry-after", Unspecified)),
        ),
        (
            "retry-after: 1
             retry-after-ms: 0
             x-ratelimit-remaining-tokens: 0
             x-ratelimit-reset-tokens: 43
             x-ratelimit-renewalperiod-tokens: 60
             x-ratelimit-type: Tokens",
            secs(43).map(|wait| (wait, "x-ratelimit-reset", Tokens)),
        ),
        (
            "retry-after: 0
             x-ratelimit-remaining-requests: 0
             x-ratelimit-reset-requests: 7
             x-ratelimit-renewalperiod-requests: 10",
            secs(7).map(|wait| (wait, "x-ratelimit-reset", Requests)),
        ),
        (
            "retry-after-ms: 1000
             x-ratelimit-type: Tokens
             x-ratelimit-reset-tokens: 43
             x-ratelimit-renewalperiod-tokens: 60",
            secs(43).map(|wait| (wait, "x-ratelimit-reset", Tokens)),
        ),
        // Any other number was computed by the server: the stated wait is believed.
        (
            "retry-after: 2
             x-ratelimit-remaining-tokens: 0
             x-ratelimit-reset-tokens: 43
             x-ratelimit-renewalperiod-tokens: 60",
            secs(2).map(|wait| (wait, "retry-after", Unspecified)),
        ),
        (
            "retry-after-ms: 850
             retry-after: 1
             x-ratelimit-remaining-tokens: 0
             x-ratelimit-reset-tokens: 43
             x-ratelimit-renewalperiod-tokens: 60",
            millis(850).map(|wait| (wait, "retry-after-ms", Unspecified)),
        ),
        // A reset that is shorter than the stated wait does not replace it.
        (
            "retry-after: 1
             x-ratelimit-remaining-tokens: 0
             x-ratelimit-reset-tokens: 400ms
             x-ratelimit-renewalperiod-tokens: 60",
            secs(1).map(|wait| (wait, "retry-after", Unspecified)),
        ),
        // A limit that is not known to be exhausted does not replace a stated wait.
        (
            "retry-after: 1
             x-ratelimit-reset-tokens: 43
             x-ratelimit-renewalperiod-tokens: 60",
            secs(1).map(|wait| (wait, "retry-after", Unspecified)),
        ),
        (
            "retry-after: 1
             x-ratelimit-remaining-tokens: 5
             x-ratelimit-reset-tokens: 43
             x-ratelimit-renewalperiod-tokens: 60",
            secs(1).map(|wait| (wait, "retry-after", Unspecified)),
        ),
    ]);
}

/// Two lines are read like one line with a comma. The longest value is chosen, whether number or date.
#[test]
fn longest_value_of_repeated_fields_is_chosen() {
    check_choices(&[
        (
            "retry-after: 30
             retry-after: 60",
            secs(60).map(|wait| (wait, "retry-after", Unspecified)),
        ),
        (
            "retry-after: 60
             retry-after: 30",
            secs(60).map(|wait| (wait, "retry-after", Unspecified)),
        ),
        (
            "retry-after: 30
             retry-after: later",
            secs(30).map(|wait| (wait, "retry-after", Unspecified)),
        ),
        (
            "retry-after: 30
             retry-after: Wed, 21 Oct 2015 07:27:40 GMT
             retry-after: Wed, 21 Oct 2015 07:27:50 GMT
             retry-after: Wed, 21 Oct 2015 07:27:10 GMT",
            secs(50).map(|wait| (wait, "retry-after", Unspecified)),
        ),
        (
            "retry-after-ms: 700
             retry-after-ms: 200",
            millis(700).map(|wait| (wait, "retry-after-ms", Unspecified)),
        ),
        (
            "x-ratelimit-remaining-tokens: 0
             x-ratelimit-reset-tokens: 10
             x-ratelimit-reset-tokens: 20",
            secs(20).map(|wait| (wait, "x-ratelimit-reset", Tokens)),
        ),
    ]);
}

#[test]
fn response_without_hints_has_no_candidates() {
    for lines in [
        "",
        "content-type: application/json",
        "retry-after: soon",
        "x-should-retry: true",
        "x-ratelimit-renewalperiod-tokens: 60",
        "date: Wed, 21 Oct 2015 07:28:00 GMT",
    ] {
        let hints = Hints::from_headers(&headers(lines));
        assert!(hints.is_empty(), "{lines}");
        assert_eq!(hints.iter().count(), 0, "{lines}");
        assert_eq!(hints.choose(now()), None, "{lines}");
    }
    assert!(Hints::default().is_empty());
}

/// The number of candidates of a response is bounded, even with many repeated lines.
#[test]
fn repeated_fields_make_one_candidate_per_source_and_dimension() {
    let mut lines = String::new();
    for repetition in 1..=50 {
        lines += &format!(
            "retry-after-ms: {repetition}
             x-ms-retry-after-ms: {repetition}
             retry-after: {repetition}
             retry-after: Wed, 21 Oct 2015 07:27:{repetition:02} GMT
             x-ratelimit-reset-requests: {repetition}
             x-rate-limit-reset-requests: {repetition}
             x-ratelimit-reset-tokens: {repetition}
             x-rate-limit-reset-tokens: {repetition}
             "
        );
    }
    lines += "x-ratelimit-remaining-tokens: 0";

    let hints = Hints::from_headers(&headers(&lines));
    let millis = When::After(millis(50).expect("a duration"));
    let after = When::After(secs(50).expect("a duration"));
    let at = When::At(now() + secs(50).expect("a duration"));
    let found: Vec<_> = hints
        .iter()
        .map(|c| (c.source(), c.dimension(), c.when(), c.is_exhausted()))
        .collect();
    assert_eq!(
        found,
        [
            (Source::RetryAfterMs, Unspecified, millis, false),
            (Source::MsRetryAfterMs, Unspecified, millis, false),
            (Source::RetryAfter, Unspecified, after, false),
            (Source::RetryAfter, Unspecified, at, false),
            (Source::Reset, Requests, after, false),
            (Source::HyphenatedReset, Requests, after, false),
            (Source::Reset, Tokens, after, true),
            (Source::HyphenatedReset, Tokens, after, true),
        ]
    );
}

#[test]
fn names_of_sources_and_dimensions_are_stable() {
    let sources = [
        (Source::RetryAfterMs, "retry-after-ms"),
        (Source::MsRetryAfterMs, "x-ms-retry-after-ms"),
        (Source::RetryAfter, "retry-after"),
        (Source::Reset, "x-ratelimit-reset"),
        (Source::HyphenatedReset, "x-rate-limit-reset"),
    ];
    for (source, name) in sources {
        assert_eq!(source.as_str(), name);
        assert_eq!(source.to_string(), name);
    }

    let dimensions = [
        (Unspecified, "unspecified"),
        (Requests, "requests"),
        (Tokens, "tokens"),
    ];
    for (dimension, name) in dimensions {
        assert_eq!(dimension.as_str(), name);
        assert_eq!(dimension.to_string(), name);
    }
    assert_eq!(Dimension::default(), Unspecified);
}
