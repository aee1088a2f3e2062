//! The rules that choose a candidate. Deleting any of them makes one of these tests fail.

use spillover_hint::Hints;

use crate::{check_responses, headers};

/// 1. All candidates are collected, in any order and beside unreadable fields.
#[test]
fn all_candidates_are_collected() {
    let lines = "retry-after-ms: soon
        retry-after-ms: 1500
        x-ms-retry-after-ms: 1500
        x-amz-retry-after: 1500
        retry-after: later
        retry-after: 2
        x-retry-after: 2
        x-ratelimit-retry-after: 2
        x-ratelimit-reset: 5
        x-rate-limit-reset-tokens: 5
        anthropic-ratelimit-tokens-reset: 2015-10-21T07:27:05Z
        ratelimit-reset: 5
        ratelimit: \"default\";r=0;t=5
        ratelimitbysize-reset: 5
        anthropic-priority-input-tokens-reset: 2015-10-21T07:27:05Z
        grpc-retry-pushback-ms: 1500";
    let mut backwards: Vec<_> = lines.lines().collect();
    backwards.reverse();
    for lines in [lines, &backwards.join("\n")] {
        let hints = Hints::from_headers(&headers(lines));
        let mut sources: Vec<_> = hints.iter().map(|c| c.source().as_str()).collect();
        sources.sort_unstable();
        assert_eq!(
            sources,
            [
                "anthropic-priority-reset",
                "anthropic-ratelimit-reset",
                "grpc-retry-pushback-ms",
                "ratelimit",
                "ratelimit-reset",
                "ratelimitbysize-reset",
                "retry-after",
                "retry-after-ms",
                "x-amz-retry-after",
                "x-ms-retry-after-ms",
                "x-rate-limit-reset",
                "x-ratelimit-reset",
                "x-ratelimit-retry-after",
                "x-retry-after",
            ]
        );
    }
}

/// 2. The order of trust: each source is chosen before all later ones, although it states the shortest wait.
#[test]
fn most_trusted_source_is_chosen() {
    let lines = [
        ("retry-after-ms: 2000", "2s by retry-after-ms (stated)"),
        (
            "x-ms-retry-after-ms: 3000",
            "3s by x-ms-retry-after-ms (stated)",
        ),
        (
            "x-amz-retry-after: 4000",
            "4s by x-amz-retry-after (stated)",
        ),
        (
            "grpc-retry-pushback-ms: 5000",
            "5s by grpc-retry-pushback-ms (stated)",
        ),
        ("retry-after: 6", "6s by retry-after (stated)"),
        ("x-retry-after: 7", "7s by x-retry-after (stated)"),
        (
            "x-ratelimit-retry-after: 8",
            "8s by x-ratelimit-retry-after (stated)",
        ),
        ("", "9s by retry-info (stated)"),
        (
            "x-ratelimit-reset-tokens: 10",
            "10s by x-ratelimit-reset (exhausted)",
        ),
        (
            "x-ratelimit-reset-input-tokens: 11",
            "11s by x-ratelimit-reset (unspecific)",
        ),
        ("", "12s by prose (last-resort)"),
    ];
    for first in 0..lines.len() {
        let mut text = "x-ratelimit-remaining-tokens: 0\n".to_owned();
        for (line, _) in &lines[first..] {
            text += line;
            text += "\n";
        }
        let detail = match first {
            ..=7 => r#","details":[{"retryDelay":"9s"}]"#,
            _ => "",
        };
        let body = format!(r#"{{"error":{{"message":"retry in 12s"{detail}}}}}"#);
        let expected = format!("throttled: {}, tokens/unknown", lines[first].1);
        check_responses(&[(429, &text, &body, &expected)]);
    }
}

/// 3. A reset replaces a stated wait only if the wait is known to be false, and only if the limit is exhausted.
#[test]
fn only_known_false_wait_is_replaced_by_a_reset() {
    check_responses(&[
        (
            429,
            "retry-after: 1
             x-ratelimit-remaining-tokens: 0
             x-ratelimit-reset-tokens: 43
             x-ratelimit-renewalperiod-tokens: 60",
            "{}",
            "throttled: 43s by x-ratelimit-reset (known-lie), tokens/minute",
        ),
        (
            429,
            "retry-after: 1
             x-ratelimit-remaining-tokens: 0
             x-ratelimit-reset-tokens: 43",
            "{}",
            "throttled: 1s by retry-after (stated), tokens/unknown",
        ),
        (
            429,
            "retry-after: 2
             x-ratelimit-remaining-tokens: 0
             x-ratelimit-reset-tokens: 43
             x-ratelimit-renewalperiod-tokens: 60",
            "{}",
            "throttled: 2s by retry-after (stated), tokens/minute",
        ),
        (
            429,
            "x-ratelimit-remaining-tokens: 1
             x-ratelimit-reset-tokens: 43
             x-ratelimit-renewalperiod-tokens: 60",
            "{}",
            "throttled: -, unspecified/unknown",
        ),
    ]);
}

/// 4. Negative or invalid values are ignored. Zero is a wait, but is replaced by any other.
#[test]
fn negative_wait_is_ignored_and_zero_is_replaced() {
    check_responses(&[
        (
            429,
            "retry-after-ms: -1
             x-ratelimit-reset-tokens: NaN
             retry-after: 5",
            "{}",
            "throttled: 5s by retry-after (stated), unspecified/unknown",
        ),
        (
            429,
            "retry-after: -1",
            "{}",
            "throttled: -, unspecified/unknown",
        ),
        (
            429,
            "retry-after: 0",
            "{}",
            "throttled: 0ns by retry-after (stated), unspecified/unknown",
        ),
        (
            429,
            "retry-after-ms: 0
             retry-after: 1",
            "{}",
            "throttled: 1s by retry-after (not-zero), unspecified/unknown",
        ),
        (
            429,
            "retry-after-ms: 30
             retry-after: 30",
            "{}",
            "throttled: 30s by retry-after (same-number), unspecified/unknown",
        ),
    ]);
}

/// 8. The kind decides before the wait. A refusal without a cooldown has no wait, and a limit per day does not get the
///    wait of a limit per minute.
#[test]
fn kind_decides_before_the_wait() {
    check_responses(&[
        (
            429,
            "retry-after: 5",
            r#"{"error":{"message":"Request too large for gpt-4o","code":"rate_limit_exceeded"}}"#,
            "too-large: -, unspecified/unknown",
        ),
        (
            413,
            "retry-after: 5",
            "",
            "too-large: -, unspecified/unknown",
        ),
        (410, "retry-after: 5", "", "client: -, unspecified/unknown"),
        (
            429,
            "",
            r#"{"error":{"status":"RESOURCE_EXHAUSTED","details":[{"retryDelay":"5s"},{"violations":[{"quotaId":"RequestsPerDay"}]}]}}"#,
            "quota: -, requests/day",
        ),
        (
            429,
            "retry-after: 5",
            r#"{"error":{"code":"insufficient_quota"}}"#,
            "quota: 5s by retry-after (stated), unspecified/unknown",
        ),
    ]);
}
