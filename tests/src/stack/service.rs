use std::{fmt, time::Duration};

use axum::body::Body;
use http::{Request, Response};
use tokio::{task::JoinHandle, time::Instant};
use tower::{BoxError, ServiceExt, util::BoxCloneSyncService};
use tower_spillover::{
    Backend, Condition, Credential, Pool, Scope, retry::ReplayLimits, select::WhenExhausted,
};

use super::{Answer, Backends, Deployment, Reply, settle};

/// Settings of a [`Stack`].
#[derive(Clone, Debug)]
#[must_use]
pub struct StackBuilder {
    pub(super) pool: Pool,
    pub(super) when_exhausted: WhenExhausted,
    pub(super) timeout: Duration,
    pub(super) limits: Option<ReplayLimits>,
}

impl StackBuilder {
    /// Sets the answer to a request that finds every backend throttled.
    pub fn when_exhausted(self, when_exhausted: WhenExhausted) -> Self {
        Self {
            when_exhausted,
            ..self
        }
    }

    /// Sets the timeout of an attempt. Default: 30 s.
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// Sets the limits of kept request bodies. The gateway has no setting for them.
    pub fn limits(self, limits: ReplayLimits) -> Self {
        let limits = Some(limits);
        Self { limits, ..self }
    }

    /// Builds the stack over backends that play `script`, which returns the reply of a backend to its nth request.
    pub fn build(
        self,
        deployment: Deployment,
        script: impl Fn(&str, usize) -> Reply + Send + Sync + 'static,
    ) -> Stack {
        let backends = Backends::new(script);
        let service = deployment.service(&self, &backends);
        Stack {
            pool: self.pool,
            backends,
            service,
        }
    }
}

/// The whole stack over backends that play a script.
#[derive(Clone)]
pub struct Stack {
    /// The pool of the stack.
    pub pool: Pool,
    /// The backends behind the stack.
    pub backends: Backends,
    service: BoxCloneSyncService<Request<Body>, Response<Body>, BoxError>,
}

impl Stack {
    /// Returns a stack over backends with these labels and priorities. Each is at `https://<label>.example` and has the
    /// API key `key-of-<label>`.
    pub fn builder<const N: usize>(backends: [(&str, u32); N]) -> StackBuilder {
        Self::over(backends.map(|(label, priority)| {
            let key = Credential::api_key(format!("key-of-{label}")).unwrap();
            let builder = Backend::builder(label).url(format!("https://{label}.example"));
            builder.priority(priority).credential(key).build().unwrap()
        }))
    }

    /// Returns a stack over these backends. The host of each is its label and `.example`.
    pub fn over(backends: impl IntoIterator<Item = Backend>) -> StackBuilder {
        StackBuilder {
            pool: Pool::new(backends).unwrap(),
            when_exhausted: WhenExhausted::default(),
            timeout: Duration::from_secs(30),
            limits: None,
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
    /// Fails with the error of the last attempt.
    pub async fn send_body(&self, body: impl Into<Body>) -> Result<Answer, BoxError> {
        let request = Request::post(PATH).body(body.into()).unwrap();
        self.send_request(request).await
    }

    /// Sends this request.
    ///
    /// # Errors
    ///
    /// Fails with the error of the last attempt.
    pub async fn send_request(&self, request: Request<Body>) -> Result<Answer, BoxError> {
        let response = self.call(request).await?;
        Ok(Answer::read(response).await)
    }

    /// Sends a request with this body in a separate task, and returns when the task waits. Aborting the task stands for
    /// a client that goes away.
    pub async fn start(&self, body: impl Into<Body>) -> JoinHandle<Result<Answer, BoxError>> {
        let stack = self.clone();
        let body = body.into();
        let sent = tokio::spawn(async move { stack.send_body(body).await });
        settle().await;
        assert!(!sent.is_finished(), "it was to wait");
        sent
    }

    /// Sends this request and returns the response with its body.
    ///
    /// # Errors
    ///
    /// Fails with the error of the last attempt.
    pub async fn call(&self, request: Request<Body>) -> Result<Response<Body>, BoxError> {
        self.service.clone().oneshot(request).await
    }

    /// Returns the current condition of each backend, in the order of the list.
    #[must_use]
    pub fn conditions(&self) -> Vec<Condition> {
        // This is the scope that the gateway finds; a cooldown of the whole backend closes it too.
        let snapshots = self.pool.snapshot(Scope::named(PATH), Instant::now());
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

const PATH: &str = "/v1/chat/completions";
