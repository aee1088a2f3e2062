//! Two gateways behind a load balancer, under load: reloads and restarts lose no request that a backend can serve.
//!
//! The load balancer is as simple as possible: it requests `/readyz` every 50 ms, sends to the ready gateways in turn,
//! and never retries. Its HTTP client may repeat a request of which nothing was written because a kept connection had
//! ended, as all clients do.

use std::{
    fmt,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use axum::body::Body;
use http::{Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{self, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use rustix::process::Signal;
use serde_json::{Value, json};
use spillover_testing::{MockUpstream, upstream::Behavior};
use spillover_tests::{
    e2e::{Files, Gateway, answer, soon},
    gateway,
};
use tokio::{
    sync::Mutex,
    task::{JoinHandle, JoinSet},
    time::{Instant, MissedTickBehavior, interval, sleep, timeout},
};

/// Requests per second.
const RATE: u64 = 1_000;

/// A busy machine may not reach the rate, and its failures are not measured here. Fewer requests than this are in
/// flight at one time.
const MOST_UNDER_WAY: usize = 500;

const REPLY: &str = "None of these words is lost.";

/// Each test has the machine for itself.
static ALONE: Mutex<()> = Mutex::const_new(());

/// Three backends, of which the last always serves.
struct Backends {
    all: [MockUpstream; 3],
}

impl Backends {
    async fn start() -> Self {
        let start = async || {
            let mock = MockUpstream::builder()
                .reply(REPLY)
                .token_interval(Duration::from_millis(20))
                .recorded(1);
            mock.start().await.unwrap()
        };
        Self {
            all: [start().await, start().await, start().await],
        }
    }

    /// Returns the configuration of this number. Priorities, weights and keys differ from the previous one, and only
    /// every second one has the first backend.
    fn config(&self, number: u32) -> String {
        let mut text = format!(
            "[shutdown]\ndelay = \"3s\"\n[[clients.keys]]\nname = \"load\"\nsecret = \"load\"\n\
             [[clients.keys]]\nname = \"other\"\nsecret = \"{number}\"\n[[pools]]\n"
        );
        for (index, mock) in (0..).zip(&self.all).skip(number as usize % 2) {
            text += &format!(
                "[[pools.backends]]\nname = \"b{index}\"\nurl = \"{}\"\npriority = {}\nweight = {}\n\
                 credential = {{ api_key = \"key-{}\" }}\n",
                mock.url(),
                1 + (number + index) / 2 % 2,
                1 + (number + index) % 3,
                number / 2,
            );
        }
        text
    }

    /// Makes some backends fail, each in another way, until the result is dropped.
    fn trouble(&self) -> Trouble {
        let [throttling, failing, _] = &self.all;
        let (throttling, failing) = (throttling.handle().clone(), failing.handle().clone());
        Trouble(tokio::spawn(async move {
            loop {
                throttling.set_behavior(answer(429, &[("retry-after-ms", "150")]));
                sleep(Duration::from_millis(400)).await;
                throttling.set_behavior(Behavior::api());
                failing.set_behavior(answer(503, &[("retry-after", "1")]));
                sleep(Duration::from_millis(400)).await;
                failing.set_behavior(Behavior::reset());
                sleep(Duration::from_millis(300)).await;
                failing.set_behavior(Behavior::api());
                sleep(Duration::from_millis(400)).await;
            }
        }))
    }

    /// Makes the second backend unreachable for a while. No response is cut off, because the rest of it could not be
    /// served.
    async fn take_down(&mut self) {
        let mock = &mut self.all[1];
        mock.handle().set_behavior(Behavior::status(503));
        soon(mock.handle().wait_for(|stats| stats.in_flight == 0)).await;
        mock.shutdown().await;
        sleep(Duration::from_millis(500)).await;
        mock.handle().set_behavior(Behavior::api());
        mock.restart().await.unwrap();
    }
}

struct Trouble(JoinHandle<()>);

impl Drop for Trouble {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Starts a gateway on this address, or on a free one, with the configuration in `files`.
async fn start(files: &Files, address: Option<SocketAddr>) -> Gateway {
    let address = address.map_or("127.0.0.1:0".into(), |address| address.to_string());
    gateway!()
        .env("SPILLOVER_CONFIG", files.path(Files::CONFIG))
        .env("LISTEN", address)
        // The test counts the results of requests itself.
        .env("RUST_LOG", "info,spillover_proxy::access_log=warn")
        .start()
        .await
}

fn reloads(gateway: &Gateway) -> usize {
    let lines = gateway.lines();
    let reloads = lines
        .iter()
        .filter(|line| line["message"] == "configuration reloaded");
    reloads.count()
}

/// The load balancer's view of a gateway.
struct Instance {
    address: SocketAddr,
    is_ready: AtomicBool,
    sent: AtomicUsize,
    under_way: AtomicUsize,
    client: legacy::Client<HttpConnector, Body>,
}

impl Instance {
    fn new(gateway: &Gateway) -> Arc<Self> {
        Arc::new(Self {
            address: gateway.address(),
            is_ready: AtomicBool::new(false),
            sent: AtomicUsize::new(0),
            under_way: AtomicUsize::new(0),
            client: legacy::Client::builder(TokioExecutor::new())
                .pool_timer(TokioTimer::new())
                .build_http(),
        })
    }

    async fn send(&self, mut request: Request<Body>) -> Result<Response<Incoming>, String> {
        let uri = format!("http://{}{}", self.address, request.uri());
        *request.uri_mut() = uri.parse().unwrap();
        let answer = self.client.request(request).await;
        answer.map_err(|error| format!("{error:?}"))
    }

    async fn look(&self) {
        let mut checks = interval(Duration::from_millis(50));
        loop {
            checks.tick().await;
            let check = Request::get("/readyz").body(Body::empty()).unwrap();
            let is_ready = matches!(self.send(check).await, Ok(answer) if answer.status() == 200);
            self.is_ready.store(is_ready, Relaxed);
        }
    }

    async fn until_ready(&self, is_ready: bool) {
        soon(async {
            while self.is_ready.load(Relaxed) != is_ready {
                sleep(Duration::from_millis(10)).await;
            }
        })
        .await;
    }
}

/// A request that was not served correctly.
#[derive(Debug)]
struct Failure {
    number: u64,
    instance: SocketAddr,
    sent: Instant,
    reason: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{} at {}: {}", self.number, self.instance, self.reason)
    }
}

/// Requests at fixed times, independent of the answers.
struct Load {
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    begun: Instant,
    sending: JoinHandle<Vec<Failure>>,
    _looking: JoinSet<()>,
}

impl Load {
    async fn start(instances: &[Arc<Instance>]) -> Self {
        let mut looking = JoinSet::new();
        for instance in instances {
            let instance = Arc::clone(instance);
            looking.spawn(async move { instance.look().await });
        }
        for instance in instances {
            instance.until_ready(true).await;
        }
        let (stop, sent) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
        let sending = send(instances.to_vec(), Arc::clone(&stop), Arc::clone(&sent));
        Self {
            stop,
            sent,
            begun: Instant::now(),
            sending: tokio::spawn(sending),
            _looking: looking,
        }
    }

    /// Waits until this many requests were sent.
    async fn reach(&self, count: u64) {
        while self.sent.load(Relaxed) < count {
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Stops sending. Returns the number of sent requests, and the failures.
    async fn end(self) -> (u64, Vec<Failure>) {
        self.stop.store(true, Relaxed);
        let took = Instant::now() - self.begun;
        let failures = soon(self.sending).await.unwrap();
        let sent = self.sent.load(Relaxed);
        let rate = sent as f64 / took.as_secs_f64();
        println!(
            "{sent} requests in {took:?}, {rate:.0} a second; {} failed",
            failures.len()
        );
        (sent, failures)
    }
}

async fn send(
    instances: Vec<Arc<Instance>>,
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
) -> Vec<Failure> {
    let mut times = interval(Duration::from_secs(1) / RATE as u32);
    times.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut under_way = JoinSet::new();
    let mut failures = Vec::new();
    for number in 0.. {
        times.tick().await;
        if stop.load(Relaxed) {
            break;
        }
        // Taken before the choice: a gateway that was seen to be gone by then gets nothing.
        let now = Instant::now();
        let count = instances.len();
        let mut in_turn = (0..count).map(|at| &instances[(number as usize + at) % count]);
        let instance = in_turn.find(|instance| instance.is_ready.load(Relaxed));
        let instance = instance.expect("one of them is always ready");
        instance.sent.fetch_add(1, Relaxed);
        instance.under_way.fetch_add(1, Relaxed);
        under_way.spawn(served(Arc::clone(instance), number, now));
        sent.fetch_add(1, Relaxed);
        while let Some(ended) = under_way.try_join_next() {
            failures.extend(ended.unwrap().err());
        }
        if under_way.len() >= MOST_UNDER_WAY {
            let ended = under_way.join_next().await;
            failures.extend(ended.unwrap().unwrap().err());
        }
    }
    failures.extend(
        under_way
            .join_all()
            .await
            .into_iter()
            .filter_map(Result::err),
    );
    failures
}

/// Sends a request of the kind that is due, and reads the whole answer.
async fn served(instance: Arc<Instance>, number: u64, sent: Instant) -> Result<(), Failure> {
    let served = timeout(Duration::from_secs(25), ask(&instance, number)).await;
    instance.under_way.fetch_sub(1, Relaxed);
    let served = served.unwrap_or_else(|_| Err("no answer".into()));
    served.map_err(|reason| Failure {
        number,
        instance: instance.address,
        sent,
        reason,
    })
}

async fn ask(instance: &Instance, number: u64) -> Result<(), String> {
    let is_stream = number % 8 == 1;
    let question = match number % 8 {
        0 => "word ".repeat(64 * 1024 / 5),
        _ => "question".into(),
    };
    let messages = json!([{ "role": "user", "content": question }]);
    let body = json!({ "model": "gpt-4o", "messages": messages, "stream": is_stream });
    let request = Request::post("/v1/chat/completions")
        .header("content-type", "application/json")
        .header("authorization", "Bearer load")
        .body(Body::from(body.to_string()));
    let answer = instance.send(request.unwrap()).await?;
    let (status, backend) = (
        answer.status(),
        answer.headers().get("x-spillover-backend").cloned(),
    );
    let body = answer.into_body().collect().await;
    let body = body.map_err(|error| format!("{status}, of {backend:?}, cut off: {error:?}"))?;
    let body = String::from_utf8_lossy(&body.to_bytes()).into_owned();
    let is_whole = match is_stream {
        true => body.ends_with("data: [DONE]\n\n") && said(&body) == REPLY,
        false => message(&body, "/choices/0/message/content") == REPLY,
    };
    match status.as_u16() == 200 && is_whole {
        true => Ok(()),
        false => Err(format!("{status}, of {backend:?}: {body}")),
    }
}

/// Returns the assistant's text in a stream.
fn said(events: &str) -> String {
    let events = events
        .lines()
        .filter_map(|line| line.strip_prefix("data: "));
    events
        .map(|event| message(event, "/choices/0/delta/content"))
        .collect()
}

fn message(json: &str, pointer: &str) -> String {
    let json: Value = serde_json::from_str(json).unwrap_or_default();
    let message = json.pointer(pointer).and_then(Value::as_str);
    message.unwrap_or_default().to_owned()
}

#[track_caller]
fn assert_none(failures: &[Failure]) {
    let first: Vec<_> = failures.iter().take(10).map(ToString::to_string).collect();
    assert!(first.is_empty(), "{} failed: {first:#?}", failures.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_reloads_and_two_restarts_lose_nothing() {
    let _alone = ALONE.lock().await;
    let mut backends = Backends::start().await;
    let files = Files::new();
    files.write(Files::CONFIG, &backends.config(0));
    let mut gateways = vec![start(&files, None).await, start(&files, None).await];
    let instances = [Instance::new(&gateways[0]), Instance::new(&gateways[1])];
    let load = Load::start(&instances).await;
    let trouble = backends.trouble();

    for number in 1..=10 {
        let before: Vec<_> = gateways.iter().map(reloads).collect();
        files.write(Files::CONFIG, &backends.config(number));
        // Alternately requested by a signal and noticed by the watch.
        for (gateway, before) in gateways.iter().zip(before) {
            if number % 2 == 0 {
                gateway.signal(Signal::HUP);
            }
            soon(async {
                while reloads(gateway) == before {
                    sleep(Duration::from_millis(10)).await;
                }
            })
            .await;
        }
        load.reach(u64::from(number) * RATE / 2).await;
    }
    drop(trouble);
    backends.take_down().await;

    for instance in &instances {
        let gateway = gateways.remove(0);
        let exit = gateway.stop().await;
        assert_eq!(exit.code, Some(0), "{}", exit.stderr);
        assert!(
            exit.stderr.contains(r#""message":"stopped""#),
            "{}",
            exit.stderr
        );
        instance.until_ready(false).await;
        gateways.push(start(&files, Some(instance.address)).await);
        instance.until_ready(true).await;
    }
    load.reach(15 * RATE).await;

    let (sent, failures) = load.end().await;
    assert!(sent >= 15 * RATE);
    assert_none(&failures);
}

/// A killed gateway loses its requests in flight and those sent before it is noticed. The other loses nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_gateway_loses_only_its_requests_in_flight() {
    let _alone = ALONE.lock().await;
    let backends = Backends::start().await;
    let files = Files::new();
    files.write(Files::CONFIG, &backends.config(0));
    let (killed, other) = (start(&files, None).await, start(&files, None).await);
    let instances = [Instance::new(&killed), Instance::new(&other)];
    let load = Load::start(&instances).await;
    load.reach(2 * RATE).await;

    let instance = &instances[0];
    let sent_before = instance.sent.load(Relaxed);
    let under_way = instance.under_way.load(Relaxed);
    killed.signal(Signal::KILL);
    instance.until_ready(false).await;
    let seen = Instant::now();
    assert_eq!(killed.exit().await.code, None);
    let sent_since = instance.sent.load(Relaxed) - sent_before;
    let _again = start(&files, Some(instance.address)).await;
    instance.until_ready(true).await;
    load.reach(5 * RATE).await;

    let (_, failures) = load.end().await;
    println!("{under_way} were under way, {sent_since} were sent before it was seen");
    let of_killed =
        |failure: &Failure| failure.instance == instance.address && failure.sent <= seen;
    let (of_killed, others): (Vec<_>, Vec<_>) = failures.into_iter().partition(of_killed);
    assert_none(&others);
    assert!(
        of_killed.len() <= under_way + sent_since,
        "{}",
        of_killed.len()
    );
}
