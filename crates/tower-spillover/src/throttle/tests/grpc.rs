//! gRPC errors, which have HTTP status 200.

use spillover_core::GrpcClassifier;
use spillover_hint::Source;

use super::*;

/// Returns the outcome of a trailers-only response with these fields.
async fn outcome(pool: &Pool, headers: &[(&'static str, &'static str)]) -> Outcome {
    let layer = ThrottleTrackerLayer::new().with_classify(GrpcClassifier::new());
    let service = layer.layer(answering(200, headers));
    let response = service.oneshot(request(pool)).await.unwrap();
    let outcome = response.extensions().get::<Outcome>();
    outcome.expect("an Outcome").clone()
}

#[tokio::test(start_paused = true)]
async fn resource_exhausted_closes_the_backend_for_the_pushback() {
    let pool = pool();
    let fields = [("grpc-status", "8"), ("grpc-retry-pushback-ms", "2500")];
    let outcome = outcome(&pool, &fields).await;
    assert_eq!(outcome.class(), Class::Throttled);
    assert!(outcome.may_retry());
    let source = outcome.cooldown().and_then(|cooldown| cooldown.source());
    assert_eq!(source, Some(Source::GrpcPushback));
    assert_eq!(condition(&pool), Condition::Throttled(SECOND * 5 / 2));
}

#[tokio::test(start_paused = true)]
async fn backend_is_closed_if_its_pushback_forbids_a_retry() {
    let pool = pool();
    let fields = [("grpc-status", "8"), ("grpc-retry-pushback-ms", "-1")];
    let outcome = outcome(&pool, &fields).await;
    assert_eq!(outcome.class(), Class::Throttled);
    assert!(!outcome.may_retry());
    assert_eq!(condition(&pool), Condition::Throttled(10 * SECOND));
}

#[tokio::test(start_paused = true)]
async fn grpc_status_decides_instead_of_the_http_status() {
    let cases = [
        ("0", Condition::Open),
        ("3", Condition::Open),
        ("13", Condition::Open),
        ("4", Condition::Failing(10 * SECOND)),
        ("14", Condition::Failing(10 * SECOND)),
    ];
    for (code, expected) in cases {
        let pool = pool();
        let outcome = outcome(&pool, &[("grpc-status", code)]).await;
        assert_eq!(condition(&pool), expected, "{code}");
        assert_eq!(outcome.cooldown().is_some(), expected != Condition::Open);
    }
}

#[tokio::test(start_paused = true)]
async fn default_classifier_reads_a_grpc_status_in_the_head() {
    let pool = pool();
    let service = ThrottleTrackerLayer::new().layer(answering(200, &[("grpc-status", "13")]));
    let response = service.oneshot(request(&pool)).await.unwrap();
    assert_eq!(class(&response), Some(Class::Failing));
    let cooldown = response.extensions().get::<Outcome>().unwrap().cooldown();
    assert_eq!(cooldown.map(|c| c.duration()), Some(10 * SECOND));
}
