//! Tests of the admin router without a listener.

use std::time::Duration;

use axum::body::Body;
use http::Request;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use spillover_core::{Backend, Outcome, Pool, Query, Scope};
use tower::ServiceExt;

use super::*;
use crate::app::Settings;

struct Subject {
    pool: Pool,
    admin: Admin,
}

fn subject() -> Subject {
    let backend = |label: &str, priority| {
        let backend = Backend::builder(label).url("https://b.example/base");
        backend.priority(priority).build().unwrap()
    };
    let pool = Pool::new([backend("first", 1), backend("second", 2)]).unwrap();
    let app = App::new(Settings {
        pool: pool.clone(),
        http_timeout: Duration::from_secs(100),
        when_exhausted: Default::default(),
        expose_backend_url: false,
    });
    let started = Instant::now();
    Subject {
        pool,
        admin: Admin {
            app,
            reload: ReloadStatus::new(started),
            started,
        },
    }
}

impl Subject {
    fn record(&self, scope: Scope, outcome: &Outcome) {
        let query = Query::new().scope(scope);
        let now = Instant::now();
        let selected = self.pool.select(&query, now, 0);
        selected.unwrap().record(outcome, now);
    }

    async fn get(&self, path: &str) -> (u16, String, String) {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let Ok(response) = router(self.admin.clone()).oneshot(request).await;
        let status = response.status().as_u16();
        let kind = response.headers().get(CONTENT_TYPE);
        let kind = kind.map(|kind| kind.to_str().unwrap().to_owned());
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let text = String::from_utf8(body.into()).unwrap();
        (status, kind.unwrap_or_default(), text)
    }

    async fn status(&self) -> Value {
        serde_json::from_str(&self.get("/status").await.2).unwrap()
    }
}

#[tokio::test(start_paused = true)]
async fn status_has_the_condition_of_each_backend() {
    let subject = subject();
    let throttled = Outcome::throttled(Duration::from_secs(20)).with_message("slow down");
    subject.record(Scope::named("gpt-4o"), &throttled);
    subject.record(Scope::named("gpt-4o"), &Outcome::success());
    let status = subject.status().await;
    assert_eq!(status["configuration"]["generation"], 1);
    assert_eq!(status["clients"], json!({ "unauthorized": 0, "keys": [] }));
    let [pool] = &status["pools"].as_array().unwrap()[..] else {
        panic!("{status}");
    };
    assert_eq!(pool["name"], "default");
    let (first, second) = (&pool["backends"][0], &pool["backends"][1]);
    assert_eq!(first["label"], "first");
    assert_eq!(first["url"], "https://b.example/base");
    assert_eq!(
        (&first["priority"], &first["weight"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(first["condition"], "open");
    assert_eq!(first["throttled_scopes"], 1);
    let cause = json!({ "class": "throttled", "message": "slow down" });
    assert_eq!(
        first["longest_throttle"],
        json!({ "for_ms": 20_000, "cause": cause })
    );
    assert_eq!(first["attempts"]["refused"], 1);
    assert_eq!(second["condition"], "open");
    assert_eq!(second["attempts"]["answered"], 1);
    assert!(second.get("longest_throttle").is_none());

    subject.record(Scope::BACKEND, &Outcome::failing(Duration::from_secs(5)));
    let first = &subject.status().await["pools"][0]["backends"][0];
    assert_eq!(
        (&first["condition"], &first["closed_for_ms"]),
        (&json!("failing"), &json!(5000))
    );
    assert_eq!(first["cause"], json!({ "class": "failing" }));
}

#[tokio::test(start_paused = true)]
async fn status_has_the_error_of_a_refused_configuration() {
    let subject = subject();
    tokio::time::advance(Duration::from_secs(7)).await;
    let reload = &subject.admin.reload;
    reload.refused("line 3".into(), Instant::now());
    tokio::time::advance(Duration::from_secs(2)).await;
    let status = subject.status().await;
    assert_eq!(status["uptime_seconds"], 9);
    let refused = json!({ "reason": "line 3", "age_seconds": 2 });
    assert_eq!(
        status["configuration"],
        json!({ "generation": 1, "age_seconds": 9, "refused": refused })
    );
    assert!(
        subject
            .get("/metrics")
            .await
            .2
            .contains("spillover_configuration_refused 1\n")
    );

    reload.accepted(Instant::now());
    let configuration = &subject.status().await["configuration"];
    assert_eq!(*configuration, json!({ "generation": 2, "age_seconds": 0 }));
}

#[tokio::test(start_paused = true)]
async fn metrics_have_the_counts_of_the_pool() {
    let subject = subject();
    subject.record(Scope::BACKEND, &Outcome::throttled(Duration::from_secs(20)));
    subject.record(Scope::BACKEND, &Outcome::success());
    let (status, kind, text) = subject.get("/metrics").await;
    assert_eq!((status, &*kind), (200, Format::Classic.content_type()));
    for line in [
        r#"spillover_attempts_total{pool="default",backend="first",outcome="refused"} 1"#,
        r#"spillover_attempts_total{pool="default",backend="second",outcome="answered"} 1"#,
        r#"spillover_attempts_total{pool="default",backend="second",outcome="failed"} 0"#,
        r#"spillover_backend_open{pool="default",backend="first"} 0"#,
        r#"spillover_backend_open{pool="default",backend="second"} 1"#,
        r#"spillover_throttled_scopes{pool="default",backend="first"} 1"#,
        "spillover_configuration_generation 1",
        concat!(
            r#"spillover_build_info{version=""#,
            env!("CARGO_PKG_VERSION"),
            r#""} 1"#
        ),
    ] {
        assert!(
            text.lines().any(|other| other == line),
            "{line} is not in\n{text}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn readyz_fails_when_no_backend_was_ever_usable() {
    let subject = subject();
    assert_eq!(subject.get("/healthz").await.0, 200);
    assert_eq!(subject.get("/readyz").await.0, 200);
    for _ in 0..2 {
        subject.record(Scope::BACKEND, &Outcome::failing(Duration::from_secs(5)));
    }
    let (status, _, text) = subject.get("/readyz").await;
    assert_eq!(status, 503);
    assert!(text.contains("default"), "{text}");
    assert_eq!(subject.get("/healthz").await.0, 200);
    assert_eq!(subject.get("/v1/models").await.0, 404);
}
