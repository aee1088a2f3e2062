//! The client's refusal when several backends refuse a request, and the wait in it.

use spillover_testing::MockUpstream;
use spillover_tests::{
    e2e::{Answer, Gateway, Program, answer, behaving},
    for_both_gateways, production,
};

for_both_gateways!(
    client_gets_429_when_one_of_the_backends_opens_again,
    wait_of_one_backend_is_not_passed_on_when_another_opens_sooner,
    wait_of_more_than_a_minute_is_not_told,
);

/// Starts a gateway in front of backends that each refuse with this status and these fields.
async fn refusing(
    program: Program,
    refusals: &[(u16, &[(&str, &str)])],
) -> (Gateway, Vec<MockUpstream>) {
    let mut gateway = program.gateway();
    let mut backends = Vec::new();
    for (priority, (status, fields)) in (1..).zip(refusals) {
        let backend = behaving(answer(*status, fields)).await;
        let label = priority.to_string();
        gateway = gateway
            .backend(&label, priority, backend.url())
            .key(&label, "key-of-the-gateway");
        backends.push(backend);
    }
    (gateway.start().await, backends)
}

async fn ask(program: Program, refusals: &[(u16, &[(&str, &str)])]) -> Answer {
    let (gateway, backends) = refusing(program, refusals).await;
    let answer = gateway.post("/v1/chat/completions", "question").await;
    for backend in &backends {
        assert_eq!(backend.handle().stats().received, 1, "{refusals:?}");
    }
    answer
}

fn number(answer: &Answer, field: &str) -> u64 {
    let value = answer.header(field);
    value
        .and_then(|value| value.parse().ok())
        .unwrap_or_else(|| panic!("{field}: {answer:?}"))
}

async fn client_gets_429_when_one_of_the_backends_opens_again(program: Program) {
    let throttled = (429, &[("retry-after", "20")][..]);
    let mixed: [(u16, &[(&str, &str)]); 6] = [
        (401, &[]),
        (402, &[]),
        (403, &[]),
        (500, &[]),
        (503, &[("retry-after", "3600")]),
        (529, &[]),
    ];
    for other in mixed {
        for refusals in [[throttled, other], [other, throttled]] {
            let answer = ask(program, &refusals).await;
            assert_eq!(answer.status, 429, "{refusals:?}");
            assert!((1..=20).contains(&number(&answer, "retry-after")));
            assert!((1..=20_000).contains(&number(&answer, "retry-after-ms")));
            assert_eq!(answer.header("x-should-retry"), Some("true"));
        }
    }
}

async fn wait_of_one_backend_is_not_passed_on_when_another_opens_sooner(program: Program) {
    for status in [408, 429, 500, 503, 529] {
        let refusals: [(u16, &[(&str, &str)]); 2] = [
            (status, &[("retry-after", "5")]),
            (
                status,
                &[("retry-after", "3600"), ("x-ms-retry-after-ms", "3600000")],
            ),
        ];
        let answer = ask(program, &refusals).await;
        assert_eq!(answer.status, status);
        for (field, most) in [
            ("retry-after", 5),
            ("retry-after-ms", 5_000),
            ("x-ms-retry-after-ms", 5_000),
        ] {
            assert!((1..=most).contains(&number(&answer, field)), "{answer:?}");
        }
    }
}

async fn wait_of_more_than_a_minute_is_not_told(program: Program) {
    let quota = [
        ("retry-after", "86400"),
        ("x-ratelimit-reset-requests", "24h0m0s"),
        ("x-amz-retry-after", "86400000"),
    ];
    let refusals: [(u16, &[(&str, &str)]); 1] = [(402, &quota)];
    let answer = ask(program, &refusals).await;
    assert_eq!(answer.header("x-should-retry"), Some("false"), "{answer:?}");
    for field in ["retry-after", "retry-after-ms", "x-amz-retry-after"] {
        assert_eq!(answer.header(field), None, "{answer:?}");
    }
}

#[tokio::test]
async fn refusal_of_the_gateways_account_hides_the_backends_words() {
    let cases = [
        (401, "upstream_credential"),
        (403, "upstream_credential"),
        (402, "insufficient_quota"),
    ];
    for (status, code) in cases {
        for count in [1, 2] {
            let refusals = vec![(status, &[("x-account", "acme")][..]); count];
            let answer = ask(production!(), &refusals).await;
            assert_eq!(answer.status, status, "{answer:?}");
            assert_eq!(answer.error()["code"], code);
            assert!(!answer.text().contains("of the backend"), "{answer:?}");
            assert_eq!(answer.header("x-account"), None);
        }
    }
}
