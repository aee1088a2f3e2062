use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard},
};

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Request, Response, Uri};
use http_body_util::BodyExt;
use spillover_testing::{Probe, probe::ProbeHandle};
use tokio::{
    sync::{Notify, futures::Notified},
    time::Instant,
};
use tower::BoxError;
use tower_spillover::retry::ReplayBody;

use super::{Reply, in_flight::InFlight};

pub(super) type Client = Probe<ReplayBody<Body>, Body, BoxError>;

/// A request as a backend received it.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The label of the backend.
    pub backend: String,
    /// The time of arrival.
    pub at: Instant,
    /// The target.
    pub uri: Uri,
    /// The header fields.
    pub headers: HeaderMap,
    /// The part of the body that was read.
    pub body: Bytes,
    /// The trailers of its body.
    pub trailers: Option<HeaderMap>,
}

/// The backends of a pool, with their script and their record of requests. Clones share their state.
#[derive(Clone)]
pub struct Backends {
    shared: Arc<Shared>,
}

struct Shared {
    script: Box<Script>,
    seen: Mutex<Vec<Seen>>,
    in_flight: InFlight,
    hang_up: Notify,
    handles: Mutex<Vec<ProbeHandle<BoxError>>>,
}

type Script = dyn Fn(&str, usize) -> Reply + Send + Sync;

impl Backends {
    /// Creates backends. `script` returns the reply of the backend with a label to its nth request, from 1.
    pub fn new(script: impl Fn(&str, usize) -> Reply + Send + Sync + 'static) -> Self {
        Self {
            shared: Arc::new(Shared {
                script: Box::new(script),
                seen: Mutex::default(),
                in_flight: InFlight::default(),
                hang_up: Notify::new(),
                handles: Mutex::default(),
            }),
        }
    }

    /// Returns all requests in order of arrival.
    #[must_use]
    pub fn seen(&self) -> Vec<Seen> {
        self.lock().clone()
    }

    /// Returns the labels of the backends in the order in which requests reached them.
    #[must_use]
    pub fn order(&self) -> Vec<String> {
        self.lock()
            .iter()
            .map(|seen| seen.backend.clone())
            .collect()
    }

    /// Returns the number of requests to the backend with this label.
    #[must_use]
    pub fn count(&self, label: &str) -> usize {
        self.lock()
            .iter()
            .filter(|seen| seen.backend == label)
            .count()
    }

    /// Returns the number of requests being served now.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.check_readiness();
        self.shared.in_flight.now()
    }

    /// Returns the number of requests that were dropped before their answer.
    #[must_use]
    pub fn cancelled(&self) -> usize {
        self.check_readiness();
        self.shared.in_flight.cancelled()
    }

    /// Ends every connection, as restarting servers do.
    pub fn hang_up(&self) {
        self.shared.hang_up.notify_waiters();
    }

    /// Completes when the backends [hang up](Self::hang_up).
    pub(super) fn hung_up(&self) -> Notified<'_> {
        self.shared.hang_up.notified()
    }

    /// Returns the client of the backend with this label. Without a label, returns the client of all backends, where a
    /// request's authority names its backend.
    pub(super) fn client(&self, label: Option<&str>) -> Client {
        let backends = self.clone();
        let label = label.map(ToOwned::to_owned);
        let client = Probe::new(move |request: Request<ReplayBody<Body>>| {
            let host = request.uri().host().expect("an absolute target");
            if let Some(label) = &label {
                assert_eq!(label_of(host), label);
            }
            backends.serve(request)
        });
        self.shared.handles.lock().unwrap().push(client.handle());
        client
    }

    /// Plays the script for a request with an absolute target.
    pub(super) fn serve<B>(
        &self,
        request: Request<B>,
    ) -> impl Future<Output = Result<Response<Body>, BoxError>> + Send + use<B>
    where
        B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + Unpin + 'static,
    {
        let backends = self.clone();
        let ticket = self.shared.in_flight.begin();
        async move {
            let (label, reply) = backends.receive(request).await?;
            let result = reply.play(label).await;
            ticket.answered();
            result
        }
    }

    /// Reads as much of the request as the script wants.
    async fn receive<B>(&self, request: Request<B>) -> Result<(String, Reply), BoxError>
    where
        B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Unpin,
    {
        let (head, mut body) = request.into_parts();
        let label = label_of(head.uri.host().expect("an absolute target")).to_owned();
        let (index, nth) = self.record(Seen {
            backend: label.clone(),
            at: Instant::now(),
            uri: head.uri,
            headers: head.headers,
            body: Bytes::new(),
            trailers: None,
        });
        let reply = (self.shared.script)(&label, nth);

        let mut data = BytesMut::new();
        for _ in 0..reply.chunks_read() {
            let Some(frame) = body.frame().await else {
                break;
            };
            match frame.map_err(Into::into)?.into_data() {
                Ok(chunk) => data.extend_from_slice(&chunk),
                Err(frame) => self.lock()[index].trailers = frame.into_trailers().ok(),
            }
        }
        self.lock()[index].body = data.freeze();
        Ok((label, reply))
    }

    /// Records a request. Returns its number among all requests, and among those of its backend.
    fn record(&self, request: Seen) -> (usize, usize) {
        let mut seen = self.lock();
        let is_earlier = |seen: &&Seen| seen.backend == request.backend;
        let earlier = seen.iter().filter(is_earlier).count();
        seen.push(request);
        (seen.len() - 1, earlier + 1)
    }

    fn check_readiness(&self) {
        let handles = self.shared.handles.lock().unwrap();
        assert!(handles.iter().all(|handle| handle.violations() == 0));
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

fn label_of(host: &str) -> &str {
    let label = host.strip_suffix(".example");
    label.expect("a backend of the pool")
}
