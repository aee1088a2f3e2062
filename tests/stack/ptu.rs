//! A provisioned deployment with more demand than capacity: the share of it that is used, and the waiting time of
//! requests.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::body::Body;
use http::{Request, Response};
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use spillover_testing::{Probe, limit::Ptu};
use tokio::time::{Instant, sleep};
use tower::{BoxError, ServiceBuilder, ServiceExt, util::BoxCloneSyncService};
use tower_spillover::{
    Backend, Pool, retry::ReplayBody, select::WhenExhausted, stack::SpilloverLayer,
};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

/// Input tokens that drain per second.
const DRAIN: u32 = 1000;

/// The duration of the demand.
const TIME: Duration = Duration::from_secs(120);

#[derive(Clone)]
struct Upstream {
    start: Instant,
    shared: Arc<Mutex<Shared>>,
}

struct Shared {
    ptu: Ptu,
    admitted: u64,
    refused: u64,
}

impl Upstream {
    fn new(capacity: u32) -> Self {
        Self {
            start: Instant::now(),
            shared: Arc::new(Mutex::new(Shared {
                ptu: Ptu::new(DRAIN).capacity(capacity),
                admitted: 0,
                refused: 0,
            })),
        }
    }

    fn now(&self) -> Duration {
        Instant::now() - self.start
    }

    /// Returns the admitted tokens that have not drained yet.
    fn level(&self, capacity: u32) -> f64 {
        let capacity = f64::from(capacity);
        match self.shared.lock().unwrap().ptu.admit(self.now(), 0, 0) {
            Ok(admitted) => admitted.utilization.unwrap() / 100.0 * capacity,
            Err(refused) => capacity + refused.wait.as_secs_f64() * f64::from(DRAIN),
        }
    }

    async fn answer(self, tokens: u64, after: Duration) -> Response<Body> {
        sleep(10 * MS).await;
        let admitted = {
            let mut shared = self.shared.lock().unwrap();
            let admitted = shared.ptu.admit(self.now(), tokens, 0);
            match admitted {
                Ok(_) => shared.admitted += tokens,
                Err(_) => shared.refused += 1,
            }
            admitted
        };
        match admitted {
            Ok(_) => {
                sleep(after).await;
                Response::new(Body::empty())
            }
            Err(refused) => {
                sleep(10 * MS).await;
                let ms = refused.wait.as_nanos().div_ceil(1_000_000).max(1);
                let response = Response::builder()
                    .status(429)
                    .header("retry-after-ms", ms.to_string());
                response.body(Body::empty()).unwrap()
            }
        }
    }
}

/// The result of a run.
#[derive(Debug)]
struct Run {
    /// The share of the time in which the bucket drained.
    used: f64,
    /// The share of requests that were served.
    served: f64,
    /// Refusals per request that the deployment admitted.
    wasted: f64,
}

/// Sends requests of this many tokens at random times, 1.6 times as many as the deployment admits; each answer takes 4
/// s.
async fn run(when_exhausted: WhenExhausted, capacity: u32, tokens: u64) -> Run {
    let upstream = Upstream::new(capacity);
    let client = {
        let upstream = upstream.clone();
        Probe::new(move |_: Request<ReplayBody<Body>>| {
            let answer = upstream.clone().answer(tokens, 4 * SECOND);
            async move { Ok::<_, BoxError>(answer.await) }
        })
    };
    let pool = Pool::new([Backend::builder("ptu")
        .url("http://ptu.example")
        .build()
        .unwrap()]);
    let layer = SpilloverLayer::new(pool.unwrap());
    let layer = layer.select(|select| select.when_exhausted(when_exhausted));
    let service = ServiceBuilder::new().layer(layer).service(client);
    let service =
        BoxCloneSyncService::new(service.map_response(|response| response.map(Body::new)));

    let mut rng = SmallRng::seed_from_u64(7);
    let mean = Duration::from_secs(tokens) / DRAIN * 5 / 8;
    let mut requests = Vec::new();
    while upstream.now() < TIME {
        let service = service.clone();
        requests.push(tokio::spawn(async move {
            let request = Request::post("/v1/chat/completions").body(Body::from("question"));
            service.oneshot(request.unwrap()).await.unwrap().status() == 200
        }));
        let gap: f64 = -rng.random::<f64>().max(1e-9).ln();
        sleep(mean.mul_f64(gap)).await;
    }
    let elapsed = upstream.now();
    let level = upstream.level(capacity);
    let (admitted, refused) = {
        let shared = upstream.shared.lock().unwrap();
        (shared.admitted, shared.refused)
    };
    let total = requests.len();
    let mut served = 0;
    for request in requests {
        served += usize::from(request.await.unwrap());
    }
    Run {
        used: (admitted as f64 - level) / (f64::from(DRAIN) * elapsed.as_secs_f64()),
        served: served as f64 / total as f64,
        wasted: refused as f64 / (admitted as f64 / tokens as f64),
    }
}

const MODES: [WhenExhausted; 3] = [
    WhenExhausted::Forward,
    WhenExhausted::Reject,
    WhenExhausted::Wait(Duration::from_secs(2)),
];

#[tokio::test(start_paused = true)]
async fn overloaded_deployment_is_used_in_full() {
    // A deep bucket and a shallow one; few large requests and many small ones.
    let cases = [
        (15 * DRAIN, 500),
        (15 * DRAIN, 100),
        (DRAIN, 100),
        (DRAIN, 20),
    ];
    for when_exhausted in MODES {
        for (capacity, tokens) in cases {
            let run = run(when_exhausted, capacity, tokens).await;
            let case = format!("{when_exhausted:?}, {capacity}, {tokens} tokens: {run:?}");
            assert!(run.used >= 0.95, "{case}");
            assert!(run.served >= 0.6, "{case}");
            assert!(run.wasted <= 1.0, "{case}");
        }
    }
}
