//! A day of abuse: upstreams answer at random, with every kind of hint and body, right and wrong. A model that knows
//! only the upstreams' answers says how the layers may and must react.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use tokio::time::{Instant, advance, sleep};
use tower::{BoxError, Service, ServiceBuilder, ServiceExt, service_fn, timeout::TimeoutLayer};
use tower_spillover::{
    Backend, Pool, Selected,
    refusal::ReadRefusalLayer,
    retry::RetryThrottledLayer,
    rewrite::RewriteRequestLayer,
    select::{PrioritySelectLayer, WhenExhausted},
    throttle::ThrottleTrackerLayer,
};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const SECOND: Duration = Duration::from_secs(1);
const FLOOR: Duration = Duration::from_millis(100);
const CAP: Duration = Duration::from_secs(60);
const QUOTA_CAP: Duration = DAY;

/// Labels with their tiers.
const BACKENDS: [(&str, u32); 5] = [("a", 1), ("b", 1), ("c", 2), ("d", 2), ("e", 3)];
const DEPLOYMENTS: [&str; 3] = ["large", "small", "tiny"];

/// An upstream's answer and its meaning.
#[derive(Clone, Debug)]
struct Answer {
    status: u16,
    fields: Vec<(&'static str, String)>,
    body: &'static str,
    meaning: Meaning,
}

#[derive(Clone, Copy, Debug)]
enum Meaning {
    Served,
    /// Refused for this long.
    Throttled(Duration),
    Quota(Duration),
    /// Failing for this long.
    Fails(Duration),
    /// Refused because of the request itself; others may accept it.
    Declined,
    ClientError,
}

impl Answer {
    fn draw(rng: &mut SmallRng) -> Self {
        let answer = |status, fields: Vec<(&'static str, String)>, body, meaning| Self {
            status,
            fields,
            body,
            meaning,
        };
        let seconds = Duration::from_secs(rng.random_range(0..90));
        let garbage = ["", "-1", "NaN", "soon", "0x10", "\u{e9}", "30;foo", "1,000"];
        let garbage = garbage[rng.random_range(0..garbage.len())];
        let default = 10 * SECOND;
        match rng.random_range(0..100) {
            0..55 => answer(200, vec![], "{}", Meaning::Served),
            55..58 => answer(
                400,
                vec![],
                r#"{"error":{"code":"bad"}}"#,
                Meaning::ClientError,
            ),
            58..60 => answer(413, vec![], "too large", Meaning::Declined),
            60..66 => {
                let value = seconds.as_secs().to_string();
                answer(
                    429,
                    vec![("retry-after", value)],
                    "",
                    Meaning::Throttled(seconds),
                )
            }
            66..70 => {
                let ms = rng.random_range(1..5_000);
                let fields = vec![("retry-after-ms", ms.to_string())];
                answer(
                    429,
                    fields,
                    "{}",
                    Meaning::Throttled(Duration::from_millis(ms)),
                )
            }
            70..73 => answer(
                429,
                vec![("retry-after", garbage.into())],
                "<html>",
                Meaning::Throttled(default),
            ),
            73..76 => {
                // The server's clock is hours off; its own date counts.
                let skew = rng.random_range(0..12 * 3_600_u64);
                let date = httpdate::fmt_http_date(wall() - Duration::from_secs(skew));
                let back = httpdate::fmt_http_date(wall() - Duration::from_secs(skew) + seconds);
                let fields = vec![("date", date), ("retry-after", back)];
                answer(429, fields, "", Meaning::Throttled(seconds))
            }
            76..79 => {
                let fields = vec![
                    ("x-ratelimit-remaining-requests", "12".into()),
                    ("x-ratelimit-reset-requests", "59s".into()),
                    ("x-ratelimit-remaining-tokens", "0".into()),
                    ("x-ratelimit-reset-tokens", "2m0.5s".into()),
                ];
                answer(
                    429,
                    fields,
                    "",
                    Meaning::Throttled(Duration::from_millis(120_500)),
                )
            }
            79..82 => answer(
                429,
                vec![],
                r#"{"error":{"code":"429","message":"Please retry after 26 seconds."}}"#,
                Meaning::Throttled(26 * SECOND),
            ),
            82..83 => answer(
                429,
                vec![("retry-after", "2".into())],
                r#"{"error":{"code":"insufficient_quota","message":"No credit."}}"#,
                Meaning::Quota(2 * SECOND),
            ),
            83..86 => answer(500, vec![], "oops", Meaning::Fails(default)),
            86..89 => {
                let value = seconds.as_secs().to_string();
                answer(
                    503,
                    vec![("retry-after", value)],
                    "",
                    Meaning::Fails(seconds),
                )
            }
            89..92 => answer(529, vec![], "{\"type\":\"error\"", Meaning::Fails(default)),
            92..96 => answer(0, vec![], "reset by peer", Meaning::Fails(default)),
            _ => answer(1, vec![], "never answers", Meaning::Fails(default)),
        }
    }
}

/// The wall clock is real, but only differences are used.
#[expect(
    clippy::disallowed_methods,
    reason = "dates are made of the time of day"
)]
fn wall() -> std::time::SystemTime {
    std::time::SystemTime::now()
}

/// The state of one deployment of one backend.
#[derive(Clone, Copy, Debug, Default)]
struct Limit {
    /// Before this time the backend must not be called: it said so.
    closed_until: Option<Instant>,
    /// After this time no limit may keep the backend closed.
    open_from: Option<Instant>,
    refusals_in_row: u32,
}

#[derive(Debug, Default)]
struct Model {
    limits: HashMap<(String, String), Limit>,
    failing_until: HashMap<String, Instant>,
    calls: u64,
    spilled: u64,
    rejected: u64,
}

impl Model {
    fn limit(&mut self, backend: &str, deployment: &str) -> &mut Limit {
        let key = (backend.to_owned(), deployment.to_owned());
        self.limits.entry(key).or_default()
    }

    fn must_be_closed(&mut self, backend: &str, deployment: &str, now: Instant) -> bool {
        self.limit(backend, deployment)
            .closed_until
            .is_some_and(|until| now < until)
    }

    fn must_be_open(&mut self, backend: &str, deployment: &str, now: Instant) -> bool {
        let limit = *self.limit(backend, deployment);
        let fails = self
            .failing_until
            .get(backend)
            .is_some_and(|until| now < *until);
        limit.open_from.is_none_or(|from| now >= from) && !fails
    }

    /// Returns true if no limit keeps the backend closed, even as a last resort.
    fn must_be_possible(&mut self, backend: &str, deployment: &str, now: Instant) -> bool {
        let limit = *self.limit(backend, deployment);
        limit.open_from.is_none_or(|from| now >= from)
    }

    fn note(&mut self, backend: &str, deployment: &str, meaning: Meaning, now: Instant) {
        let was_probe = self
            .failing_until
            .get(backend)
            .is_some_and(|until| now >= *until);
        if !matches!(meaning, Meaning::Fails(_)) {
            self.failing_until.remove(backend);
        }
        match meaning {
            Meaning::Served => self.limit(backend, deployment).refusals_in_row = 0,
            Meaning::Throttled(wait) => self.refuse(backend, deployment, wait, CAP, now),
            Meaning::Quota(wait) => self.refuse(backend, deployment, wait, QUOTA_CAP, now),
            Meaning::Fails(wait) => {
                let until = now + wait.clamp(FLOOR, CAP);
                let held = self
                    .failing_until
                    .entry(backend.to_owned())
                    .or_insert(until);
                *held = if was_probe { until } else { until.max(*held) };
            }
            Meaning::Declined | Meaning::ClientError => {}
        }
    }

    fn refuse(
        &mut self,
        backend: &str,
        deployment: &str,
        wait: Duration,
        cap: Duration,
        now: Instant,
    ) {
        let limit = self.limit(backend, deployment);
        let wait = wait.clamp(FLOOR, cap);
        // A growing floor may keep it closed for longer than it said, within the cap.
        let floor = FLOOR * (1 << limit.refusals_in_row.min(9));
        let longest = wait.max(floor.min(cap));
        limit.refusals_in_row += 1;
        limit.closed_until = limit.closed_until.max(Some(now + wait));
        limit.open_from = limit.open_from.max(Some(now + longest));
    }
}

/// One request's attempts, as the model saw them.
#[derive(Debug)]
struct Journey {
    deployment: &'static str,
    tried: Vec<String>,
}

impl Journey {
    fn left(&self) -> impl Iterator<Item = &'static (&'static str, u32)> {
        BACKENDS
            .iter()
            .filter(|(label, _)| !self.tried.iter().any(|tried| tried == label))
    }

    /// Checks a call of a backend: it was not too early, and no better backend was passed over.
    fn check_call(&self, model: &mut Model, backend: &str, now: Instant) {
        assert!(
            !self.tried.iter().any(|tried| tried == backend),
            "twice at {backend}: {self:?}"
        );
        assert!(
            !model.must_be_closed(backend, self.deployment, now),
            "{backend} was called early: {self:?} {model:?}"
        );
        let tier = BACKENDS
            .iter()
            .find(|(label, _)| *label == backend)
            .expect("a backend")
            .1;
        let is_last_resort = model
            .failing_until
            .get(backend)
            .is_some_and(|until| now < *until);
        for (other, other_tier) in self.left() {
            let is_better = *other_tier < tier || is_last_resort;
            assert!(
                !(is_better
                    && *other != backend
                    && model.must_be_open(other, self.deployment, now)),
                "{other} was passed over for {backend}: {self:?} {model:?}"
            );
        }
        model.calls += 1;
        model.spilled += u64::from(tier > 1);
    }

    /// Checks the end of a request that was not served: no backend could have served it.
    fn check_refused(&self, model: &mut Model, now: Instant) {
        for (other, _) in self.left() {
            assert!(
                !model.must_be_possible(other, self.deployment, now),
                "{other} was not asked: {self:?} {model:?}"
            );
        }
        model.rejected += 1;
    }
}

#[derive(Clone)]
struct World {
    shared: Arc<(Mutex<Model>, Mutex<Journey>, Mutex<SmallRng>)>,
}

impl World {
    fn new(seed: u64) -> Self {
        let journey = Journey {
            deployment: DEPLOYMENTS[0],
            tried: Vec::new(),
        };
        let rng = SmallRng::seed_from_u64(seed);
        Self {
            shared: Arc::new((Mutex::default(), Mutex::new(journey), Mutex::new(rng))),
        }
    }

    fn model(&self) -> MutexGuard<'_, Model> {
        self.shared.0.lock().expect("no check failed")
    }

    fn journey(&self) -> MutexGuard<'_, Journey> {
        self.shared.1.lock().expect("no check failed")
    }

    fn rng(&self) -> MutexGuard<'_, SmallRng> {
        self.shared.2.lock().expect("no check failed")
    }

    /// Plays all upstreams.
    async fn serve<B>(self, request: Request<B>) -> Result<Response<Full<Bytes>>, BoxError> {
        let selected = request
            .extensions()
            .get::<Selected>()
            .expect("one was chosen");
        let backend = selected.backend().label().to_owned();
        let answer = Answer::draw(&mut self.rng());
        let (deployment, begun) = {
            let mut journey = self.journey();
            journey.check_call(&mut self.model(), &backend, Instant::now());
            journey.tried.push(backend.clone());
            (journey.deployment, Instant::now())
        };
        let note = |at| self.model().note(&backend, deployment, answer.meaning, at);
        match answer.status {
            0 => {
                note(begun);
                return Err(answer.body.into());
            }
            1 => {
                // The attempt times out after a second, and counts from then.
                note(begun + SECOND);
                sleep(DAY).await;
            }
            _ => note(begun),
        }
        let mut response = Response::builder().status(answer.status);
        for (name, value) in &answer.fields {
            response = response.header(*name, value.as_bytes());
        }
        Ok(response.body(Full::from(answer.body))?)
    }
}

async fn run_a_day(seed: u64) -> World {
    let world = World::new(seed);
    let backend = |(label, priority): (&str, u32)| {
        let url = format!("http://{label}.example");
        Backend::builder(label)
            .url(url)
            .priority(priority)
            .build()
            .expect("valid")
    };
    let pool = Pool::new(BACKENDS.map(backend)).expect("valid");
    let draws = Mutex::new(SmallRng::seed_from_u64(!seed));
    let draws = Arc::new(draws);
    let upstreams = world.clone();
    let mut stack = ServiceBuilder::new()
        .layer(RetryThrottledLayer::new())
        .layer(
            PrioritySelectLayer::new(pool)
                .when_exhausted(WhenExhausted::Reject)
                .with_draw(move || draws.lock().expect("no panic").random()),
        )
        .layer(RewriteRequestLayer::new())
        .layer(ThrottleTrackerLayer::new())
        .layer(ReadRefusalLayer::new())
        .layer(TimeoutLayer::new(SECOND))
        .service(service_fn(move |request| upstreams.clone().serve(request)));

    let end = Instant::now() + DAY;
    while Instant::now() < end {
        let (deployment, gap) = {
            let mut rng = world.rng();
            let deployment = DEPLOYMENTS[rng.random_range(0..DEPLOYMENTS.len())];
            // Bursts, pauses, and long silences.
            let gap_ms = match rng.random_range(0..20) {
                0..10 => rng.random_range(0..100),
                10..18 => rng.random_range(0..10_000),
                _ => rng.random_range(0..120_000),
            };
            (deployment, Duration::from_millis(gap_ms))
        };
        advance(gap).await;
        *world.journey() = Journey {
            deployment,
            tried: Vec::new(),
        };
        let path = format!("/openai/deployments/{deployment}/chat/completions");
        let request = Request::post(path)
            .body(Full::<Bytes>::default())
            .expect("valid");
        let result = stack
            .ready()
            .await
            .expect("always ready")
            .call(request)
            .await;
        let is_refused = match &result {
            Ok(response) => !matches!(response.status().as_u16(), 200 | 400),
            Err(_) => true,
        };
        if is_refused {
            world
                .journey()
                .check_refused(&mut world.model(), Instant::now());
        }
    }
    world
}

#[tokio::test(start_paused = true)]
async fn day_of_abuse_wastes_no_open_backend_and_calls_none_early() {
    for seed in 0..4 {
        let world = run_a_day(seed).await;
        let model = world.model();
        // The day was busy: backends were called, passed over, and found closed.
        assert!(model.calls > 5_000, "{}", model.calls);
        assert!(model.spilled > 1_000, "{}", model.spilled);
        assert!(model.rejected > 10, "{}", model.rejected);
    }
}
