use spillover_hint::Dimension::{Requests, Tokens};

use crate::{check_choices, check_values, millis, nanos, secs};

/// Values of OpenAI, Azure OpenAI and Groq, for a dimension that may be exhausted.
#[test]
fn reset_values_of_vendors_are_read() {
    let table = [
        ("120ms", millis(120)),
        ("20ms", millis(20)),
        ("17ms", millis(17)),
        ("600ms", millis(600)),
        ("8.64s", millis(8_640)),
        ("1s", secs(1)),
        ("1ms", millis(1)),
        ("260ms", millis(260)),
        ("6m0s", secs(360)),
        ("10", secs(10)),
        ("300", secs(300)),
        ("55", secs(55)),
        ("2m59.56s", millis(179_560)),
        ("7.66s", millis(7_660)),
        ("577.5ms", nanos(577_500_000)),
        ("60ms", millis(60)),
        ("1.5\u{b5}s", nanos(1_500)),
        ("2m28.608s", millis(148_608)),
        ("1h2m3s", secs(3_723)),
        ("11.1", millis(11_100)),
        ("-1", None),
        ("-5s", None),
        ("1m30", None),
        ("", None),
        ("NaN", None),
        ("Wed, 21 Oct 2015 07:28:00 GMT", secs(60)),
    ];
    for name in [
        "x-ratelimit-reset-requests",
        "x-ratelimit-reset-tokens",
        "x-rate-limit-reset-requests",
        "x-rate-limit-reset-tokens",
    ] {
        check_values(name, &table);
    }
}

const RESET: &str = "x-ratelimit-reset";
const HYPHENATED: &str = "x-rate-limit-reset";

#[test]
fn only_reset_of_an_exhausted_limit_is_a_hint() {
    check_choices(&[
        // OpenAI, requests exhausted.
        (
            "x-ratelimit-limit-requests: 500
             x-ratelimit-remaining-requests: 0
             x-ratelimit-reset-requests: 120ms
             x-ratelimit-limit-tokens: 200000
             x-ratelimit-remaining-tokens: 199000
             x-ratelimit-reset-tokens: 6m0s",
            millis(120).map(|wait| (wait, RESET, Requests)),
        ),
        // Groq: requests are counted per day, and are not exhausted.
        (
            "x-ratelimit-remaining-requests: 14370
             x-ratelimit-reset-requests: 2m59.56s
             x-ratelimit-remaining-tokens: 0
             x-ratelimit-reset-tokens: 7.66s",
            millis(7_660).map(|wait| (wait, RESET, Tokens)),
        ),
        // Both are exhausted, and the request needs both.
        (
            "x-ratelimit-remaining-requests: 0
             x-ratelimit-reset-requests: 10
             x-ratelimit-remaining-tokens: 0
             x-ratelimit-reset-tokens: 300",
            secs(300).map(|wait| (wait, RESET, Tokens)),
        ),
        // According to the fields, no limit is exhausted.
        (
            "x-ratelimit-remaining-requests: 5
             x-ratelimit-reset-requests: 10
             x-ratelimit-remaining-tokens: 12
             x-ratelimit-reset-tokens: 300",
            None,
        ),
        // A remaining number above the limit means that the limit is not exhausted.
        (
            "x-ratelimit-limit-tokens: 10
             x-ratelimit-remaining-tokens: 12
             x-ratelimit-reset-tokens: 300",
            None,
        ),
        // A success without throttling.
        (
            "x-ratelimit-remaining-requests: 499
             x-ratelimit-reset-requests: 0s",
            None,
        ),
        (
            "x-ratelimit-remaining-requests: 00
             x-ratelimit-reset-requests: 10",
            secs(10).map(|wait| (wait, RESET, Requests)),
        ),
        (
            "x-ratelimit-remaining-requests: 0.5
             x-ratelimit-reset-requests: 10",
            None,
        ),
        // Zero is a wait if the dimension is known to be exhausted.
        (
            "x-ratelimit-remaining-tokens: 0
             x-ratelimit-reset-tokens: 0",
            secs(0).map(|wait| (wait, RESET, Tokens)),
        ),
        // A remaining number without a reset.
        ("x-ratelimit-remaining-tokens: 0", None),
    ]);
}

#[test]
fn latest_reset_is_chosen_if_the_exhausted_limit_is_unknown() {
    check_choices(&[
        // Azure OpenAI, openai-dotnet #838: both values are unknown.
        (
            "x-ratelimit-limit-tokens: -1
             x-ratelimit-remaining-tokens: -1
             x-ratelimit-reset-tokens: 0",
            None,
        ),
        ("x-ratelimit-reset-tokens: 0s", None),
        (
            "x-ratelimit-remaining-tokens: -1
             x-ratelimit-reset-tokens: 20",
            secs(20).map(|wait| (wait, RESET, Tokens)),
        ),
        (
            "x-ratelimit-remaining-tokens: unknown
             x-ratelimit-reset-tokens: 20",
            secs(20).map(|wait| (wait, RESET, Tokens)),
        ),
        // The exhausted limit is unknown. The later reset is the safe choice.
        (
            "x-ratelimit-reset-requests: 10
             x-ratelimit-reset-tokens: 300",
            secs(300).map(|wait| (wait, RESET, Tokens)),
        ),
        // The reset of a limit that is known to be exhausted is chosen, even if it is shorter.
        (
            "x-ratelimit-remaining-requests: 0
             x-ratelimit-reset-requests: 10
             x-ratelimit-remaining-tokens: -1
             x-ratelimit-reset-tokens: 300",
            secs(10).map(|wait| (wait, RESET, Requests)),
        ),
    ]);
}

#[test]
fn x_ratelimit_type_names_the_exhausted_limit() {
    check_choices(&[
        (
            "x-ratelimit-type: Tokens
             x-ratelimit-reset-requests: 300
             x-ratelimit-reset-tokens: 10",
            secs(10).map(|wait| (wait, RESET, Tokens)),
        ),
        (
            "x-ratelimit-type: requests
             x-ratelimit-reset-requests: 10
             x-ratelimit-reset-tokens: 300",
            secs(10).map(|wait| (wait, RESET, Requests)),
        ),
        (
            "x-ratelimit-type: Tokens
             x-ratelimit-remaining-tokens: -1
             x-ratelimit-reset-tokens: 10",
            secs(10).map(|wait| (wait, RESET, Tokens)),
        ),
        // The other dimension is not exhausted.
        (
            "x-ratelimit-type: Tokens
             x-ratelimit-reset-requests: 300",
            None,
        ),
        // The other dimension is exhausted according to its counter.
        (
            "x-ratelimit-type: Tokens
             x-ratelimit-remaining-requests: 0
             x-ratelimit-reset-requests: 300
             x-ratelimit-reset-tokens: 10",
            secs(300).map(|wait| (wait, RESET, Requests)),
        ),
        // The type names the limit, but its counter is not zero: the reset is not used.
        (
            "x-ratelimit-type: Tokens
             x-ratelimit-remaining-tokens: 500
             x-ratelimit-reset-tokens: 300",
            None,
        ),
        // A type that names no dimension, as GitHub Models sends it.
        (
            "x-ratelimit-type: UserByMinute
             x-ratelimit-reset-requests: 20",
            secs(20).map(|wait| (wait, RESET, Requests)),
        ),
    ]);
}

#[test]
fn field_names_with_another_hyphen_are_read() {
    check_choices(&[
        // Azure OpenAI, openai-python #937.
        (
            "x-rate-limit-reset-tokens: 55
             policy-id: DeploymentRatelimit-Token
             x-ratelimit-remaining-requests: 79",
            secs(55).map(|wait| (wait, HYPHENATED, Tokens)),
        ),
        (
            "x-rate-limit-reset-tokens: 55
             x-ratelimit-remaining-tokens: 12",
            None,
        ),
        (
            "x-rate-limit-reset-requests: 55
             x-rate-limit-remaining-requests: 0",
            secs(55).map(|wait| (wait, HYPHENATED, Requests)),
        ),
        (
            "x-rate-limit-reset-tokens: 55
             x-ratelimit-reset-tokens: 10",
            secs(55).map(|wait| (wait, HYPHENATED, Tokens)),
        ),
    ]);
}
