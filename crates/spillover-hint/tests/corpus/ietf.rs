//! Fields of the IETF drafts, old and new.

use crate::check_responses;

#[test]
fn ietf_fields_are_read() {
    check_responses(&[
        (
            429,
            "ratelimit-limit: 100
             ratelimit-remaining: 0
             ratelimit-reset: 30",
            "",
            "throttled: 30s by ratelimit-reset (exhausted), unspecified/unknown",
        ),
        (
            429,
            r#"ratelimit: "default";r=0;t=30
               ratelimit-policy: "default";q=100;w=60"#,
            "",
            "throttled: 30s by ratelimit (exhausted), unspecified/minute",
        ),
        (
            429,
            r#"ratelimit: "burst";r=7;t=300, "a;b,c" ; t=20 ; r=0
               ratelimit-policy: "a;b,c";q=10;w=1;qu="requests", "burst";q=100;w=60"#,
            "",
            "throttled: 20s by ratelimit (exhausted), requests/second",
        ),
        (
            429,
            r#"ratelimit: "daily";r=0;t=3600
               ratelimit-policy: "daily";q=100;w=86400"#,
            "",
            "quota: 3600s by ratelimit (exhausted), unspecified/day",
        ),
        (
            429,
            "ratelimit: limit=100, remaining=0, reset=30",
            "",
            "throttled: 30s by ratelimit (exhausted), unspecified/unknown",
        ),
        (
            429,
            r#"ratelimit: "default";t=30"#,
            "",
            "throttled: 30s by ratelimit (unspecific), unspecified/unknown, body?",
        ),
        (
            429,
            r#"ratelimit: "default";r=5;t=30"#,
            "",
            "throttled: -, unspecified/unknown, body?",
        ),
        (
            429,
            r#"ratelimit: "default;r=0;t=30"#,
            "",
            "throttled: -, unspecified/unknown, body?",
        ),
        (
            429,
            "ratelimit: ;;=,,\"",
            "",
            "throttled: -, unspecified/unknown, body?",
        ),
    ]);
}
