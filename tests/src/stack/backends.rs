use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Request, Response, Uri};
use http_body_util::BodyExt;
use spillover_testing::{Probe, probe::ProbeHandle};
use tokio::time::{Instant, sleep};
use tower::BoxError;
use tower_spillover::retry::ReplayBody;

pub(crate) type Client = Probe<ReplayBody<Body>, Body, BoxError>;

/// What a backend does with a request.
#[derive(Clone, Debug)]
pub struct Reply {
    delay: Duration,
    chunks: usize,
    result: Option<Result<u16, &'static str>>,
    headers: Vec<(&'static str, String)>,
}

impl Reply {
    /// Answers with this status.
    #[must_use]
    pub fn status(status: u16) -> Self {
        Self {
            delay: Duration::ZERO,
            chunks: usize::MAX,
            result: Some(Ok(status)),
            headers: Vec::new(),
        }
    }

    /// Answers 429 with this `retry-after`.
    #[must_use]
    pub fn throttled(retry_after: impl fmt::Display) -> Self {
        Self::status(429).header("retry-after", retry_after)
    }

    /// Fails in place of an answer, as a connection that is refused or reset.
    #[must_use]
    pub fn error(message: &'static str) -> Self {
        Self {
            result: Some(Err(message)),
            ..Self::status(0)
        }
    }

    /// Never answers.
    #[must_use]
    pub fn stall() -> Self {
        Self {
            result: None,
            ..Self::status(0)
        }
    }

    /// With this header field.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl fmt::Display) -> Self {
        self.headers.push((name, value.to_string()));
        self
    }

    /// Not before this time.
    #[must_use]
    pub fn after(self, delay: Duration) -> Self {
        Self { delay, ..self }
    }

    /// Reads no more than so many chunks of the body first. Otherwise the whole body is read.
    #[must_use]
    pub fn reads(self, chunks: usize) -> Self {
        Self { chunks, ..self }
    }
}

/// A request as a backend got it.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The label of the backend.
    pub backend: String,
    /// When it came.
    pub at: Instant,
    /// Its target.
    pub uri: Uri,
    /// Its header fields.
    pub headers: HeaderMap,
    /// What was read of its body.
    pub body: Bytes,
    /// The trailers of its body.
    pub trailers: Option<HeaderMap>,
}

/// The backends of a pool: what they do, and what they saw. Clones share it.
#[derive(Clone)]
pub struct Backends {
    shared: Arc<Shared>,
}

struct Shared {
    script: Box<Script>,
    seen: Mutex<Vec<Seen>>,
    handles: Mutex<Vec<ProbeHandle<BoxError>>>,
}

type Script = dyn Fn(&str, usize) -> Reply + Send + Sync;

impl Backends {
    /// `script` tells what the backend with a label does with its nth request, which count from 1.
    pub fn new(script: impl Fn(&str, usize) -> Reply + Send + Sync + 'static) -> Self {
        Self {
            shared: Arc::new(Shared {
                script: Box::new(script),
                seen: Mutex::default(),
                handles: Mutex::default(),
            }),
        }
    }

    /// Every request, in the order in which they came.
    #[must_use]
    pub fn seen(&self) -> Vec<Seen> {
        self.lock().clone()
    }

    /// The labels of the backends, in the order in which requests came to them.
    #[must_use]
    pub fn order(&self) -> Vec<String> {
        self.lock()
            .iter()
            .map(|seen| seen.backend.clone())
            .collect()
    }

    /// How many requests came to the backend with this label.
    #[must_use]
    pub fn count(&self, label: &str) -> usize {
        self.lock()
            .iter()
            .filter(|seen| seen.backend == label)
            .count()
    }

    /// Requests that are being served now.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.sum(ProbeHandle::in_flight)
    }

    /// Requests whose answer was not waited for.
    #[must_use]
    pub fn cancelled(&self) -> usize {
        self.sum(ProbeHandle::cancelled)
    }

    /// The client of the backend with this label; without one, of all backends: then the authority of a request tells
    /// which it is for.
    pub(crate) fn client(&self, label: Option<&str>) -> Client {
        let backends = self.clone();
        let label = label.map(ToOwned::to_owned);
        let client = Probe::new(move |request: Request<ReplayBody<Body>>| {
            let host = request.uri().host().expect("an absolute target");
            let named = host
                .strip_suffix(".example")
                .expect("a backend of the pool");
            assert_eq!(label.as_deref().unwrap_or(named), named);
            backends.clone().serve(named.to_owned(), request)
        });
        self.shared.handles.lock().unwrap().push(client.handle());
        client
    }

    async fn serve(
        self,
        backend: String,
        request: Request<ReplayBody<Body>>,
    ) -> Result<Response<Body>, BoxError> {
        let (head, mut body) = request.into_parts();
        let index = self.lock().len();
        self.lock().push(Seen {
            backend: backend.clone(),
            at: Instant::now(),
            uri: head.uri,
            headers: head.headers,
            body: Bytes::new(),
            trailers: None,
        });
        let reply = (self.shared.script)(&backend, self.count(&backend));

        let mut data = BytesMut::new();
        for _ in 0..reply.chunks {
            let Some(frame) = body.frame().await else {
                break;
            };
            match frame?.into_data() {
                Ok(chunk) => data.extend_from_slice(&chunk),
                Err(frame) => self.lock()[index].trailers = frame.into_trailers().ok(),
            }
        }
        self.lock()[index].body = data.freeze();

        if !reply.delay.is_zero() {
            sleep(reply.delay).await;
        }
        let Some(result) = reply.result else {
            return std::future::pending().await;
        };
        let mut response = Response::builder().status(result?);
        for (name, value) in reply.headers {
            response = response.header(name, value);
        }
        Ok(response.body(Body::from(backend))?)
    }

    fn sum(&self, count: impl Fn(&ProbeHandle<BoxError>) -> usize) -> usize {
        let handles = self.shared.handles.lock().unwrap();
        assert!(handles.iter().all(|handle| handle.violations() == 0));
        handles.iter().map(count).sum()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Seen>> {
        self.shared.seen.lock().unwrap()
    }
}

impl fmt::Debug for Backends {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.lock().iter()).finish()
    }
}
