use std::{
    fmt,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::body::Body;
use http::{Request, Response};
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use tokio::time::Instant;
use tower::{
    BoxError, Service, ServiceBuilder, ServiceExt, timeout::TimeoutLayer, util::BoxCloneSyncService,
};
use tower_spillover::{
    Backend, Condition, Credential, Pool, Scope,
    retry::{ReplayBody, ReplayLimits, RetryThrottledLayer},
    rewrite::RewriteRequestLayer,
    select::{PrioritySelectLayer, WhenExhausted},
    steer::BackendSteer,
    throttle::ThrottleTrackerLayer,
};

use super::{Answer, Backends, Reply};

/// What the stack is to whoever mounts it.
pub trait HttpService:
    Service<Request<Body>, Response = Response<Body>, Error = BoxError, Future: Send>
    + Clone
    + Send
    + Sync
    + 'static
{
}

impl<S> HttpService for S where
    S: Service<Request<Body>, Response = Response<Body>, Error = BoxError, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static
{
}

/// What is below the layers.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_enums, reason = "each test is run on all of them")]
pub enum Deployment {
    /// One client for all backends.
    SharedClient,
    /// [`BackendSteer`] over a client for each.
    PerBackend,
}

/// Settings of a [`Stack`].
#[derive(Clone, Debug)]
#[must_use]
pub struct StackBuilder {
    pool: Pool,
    when_exhausted: WhenExhausted,
    timeout: Duration,
    limits: ReplayLimits,
}

impl StackBuilder {
    /// What becomes of a request that finds every backend throttled.
    pub fn when_exhausted(self, when_exhausted: WhenExhausted) -> Self {
        Self {
            when_exhausted,
            ..self
        }
    }

    /// How long an attempt may take. Default 30 s.
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// How much of request bodies is kept.
    pub fn limits(self, limits: ReplayLimits) -> Self {
        Self { limits, ..self }
    }

    /// The stack over backends that play `script`: what the one with this label does with its nth request.
    pub fn build(
        self,
        deployment: Deployment,
        script: impl Fn(&str, usize) -> Reply + Send + Sync + 'static,
    ) -> Stack {
        let backends = Backends::new(script);
        let service = match deployment {
            Deployment::SharedClient => BoxCloneSyncService::new(shared_client(&self, &backends)),
            Deployment::PerBackend => BoxCloneSyncService::new(per_backend(&self, &backends)),
        };
        Stack {
            pool: self.pool,
            backends,
            service,
        }
    }
}

/// The whole stack over one client for all backends.
pub fn shared_client(settings: &StackBuilder, backends: &Backends) -> impl HttpService + use<> {
    layers(settings, backends.client(None))
}

/// The whole stack over a client for each backend.
pub fn per_backend(settings: &StackBuilder, backends: &Backends) -> impl HttpService + use<> {
    let client = |backend: &Backend| backends.client(Some(backend.label()));
    layers(settings, BackendSteer::new(&settings.pool, client))
}

fn layers<S>(settings: &StackBuilder, client: S) -> impl HttpService + use<S>
where
    S: Service<
            Request<ReplayBody<Body>>,
            Response = Response<Body>,
            Error = BoxError,
            Future: Send,
        > + Clone
        + Send
        + Sync
        + 'static,
{
    let rng = Arc::new(Mutex::new(SmallRng::seed_from_u64(7)));
    let draw = move || rng.lock().unwrap().random::<u64>();
    let select = PrioritySelectLayer::new(settings.pool.clone());
    ServiceBuilder::new()
        .layer(RetryThrottledLayer::new().replay_limits(settings.limits.clone()))
        .layer(
            select
                .when_exhausted(settings.when_exhausted)
                .with_draw(draw),
        )
        .layer(RewriteRequestLayer::new())
        .layer(ThrottleTrackerLayer::new())
        .layer(TimeoutLayer::new(settings.timeout))
        .service(client)
}

/// The whole stack over backends that play a script.
#[derive(Clone)]
pub struct Stack {
    /// The pool that the stack chooses from.
    pub pool: Pool,
    /// What is behind the stack.
    pub backends: Backends,
    service: BoxCloneSyncService<Request<Body>, Response<Body>, BoxError>,
}

impl Stack {
    /// A stack over backends with these labels and priorities, each at `https://<label>.example` and with the API key
    /// `key-of-<label>`.
    pub fn builder<const N: usize>(backends: [(&str, u32); N]) -> StackBuilder {
        Self::over(backends.map(|(label, priority)| {
            let key = Credential::api_key(format!("key-of-{label}")).unwrap();
            let builder = Backend::builder(label).url(format!("https://{label}.example"));
            builder.priority(priority).credential(key).build().unwrap()
        }))
    }

    /// A stack over these backends; the host of each is its label and `.example`.
    pub fn over(backends: impl IntoIterator<Item = Backend>) -> StackBuilder {
        StackBuilder {
            pool: Pool::new(backends).unwrap(),
            when_exhausted: WhenExhausted::default(),
            timeout: Duration::from_secs(30),
            limits: ReplayLimits::default(),
        }
    }

    /// Sends a small request.
    pub async fn send(&self) -> Answer {
        self.send_body("question").await.unwrap()
    }

    /// Sends a request with this body.
    ///
    /// # Errors
    ///
    /// What the last attempt failed with.
    pub async fn send_body(&self, body: impl Into<Body>) -> Result<Answer, BoxError> {
        let request = Request::post("/v1/chat/completions")
            .body(body.into())
            .unwrap();
        let response = self.call(request).await?;
        Ok(Answer::new(&response))
    }

    /// Sends this request.
    ///
    /// # Errors
    ///
    /// What the last attempt failed with.
    pub async fn call(&self, request: Request<Body>) -> Result<Response<Body>, BoxError> {
        self.service.clone().oneshot(request).await
    }

    /// What is known about each backend now, in the order of the list.
    #[must_use]
    pub fn conditions(&self) -> Vec<Condition> {
        let snapshots = self.pool.snapshot(Scope::WHOLE, Instant::now());
        snapshots
            .iter()
            .map(|snapshot| snapshot.condition())
            .collect()
    }
}

impl fmt::Debug for Stack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stack")
            .field("pool", &self.pool)
            .field("backends", &self.backends)
            .finish_non_exhaustive()
    }
}
