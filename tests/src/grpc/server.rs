use std::{
    fmt,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use futures_util::{FutureExt, Stream, StreamExt, stream};
use tokio::sync::oneshot;
use tonic::{
    Request, Response, Status,
    metadata::MetadataMap,
    transport::server::{Router, TcpIncoming},
};
use tonic_health::pb::{
    HealthCheckRequest, HealthCheckResponse,
    health_server::{Health, HealthServer},
};

use super::{Play, uploads::UploadsServer};

/// A tonic server that plays a script until it is dropped.
#[derive(Debug)]
pub struct Server {
    label: &'static str,
    address: SocketAddr,
    script: Script,
    /// The server listens and keeps its connections while this value lives.
    _alive: oneshot::Sender<()>,
}

impl Server {
    /// Starts a server; `play` returns the reaction to the nth call, from 1.
    pub fn start(
        label: &'static str,
        play: impl Fn(usize) -> Play + Send + Sync + 'static,
    ) -> Self {
        Self::start_with(label, play, |server| server)
    }

    /// Starts a server with settings of the transport.
    pub fn start_with(
        label: &'static str,
        play: impl Fn(usize) -> Play + Send + Sync + 'static,
        configure: impl FnOnce(tonic::transport::Server) -> tonic::transport::Server,
    ) -> Self {
        let script = Script::new(label, play);
        let incoming = TcpIncoming::bind(([127, 0, 0, 1], 0).into()).unwrap();
        let address = incoming.local_addr().unwrap();
        let router: Router = configure(tonic::transport::Server::builder())
            .add_service(HealthServer::new(script.clone()))
            .add_service(UploadsServer::new(script.clone()));
        let (alive, dropped) = oneshot::channel::<()>();
        let dropped = dropped.map(|_| ());
        tokio::spawn(router.serve_with_incoming_shutdown(incoming, dropped));
        Self {
            label,
            address,
            script,
            _alive: alive,
        }
    }

    /// Returns the label that the server names in its answers.
    #[must_use]
    pub fn label(&self) -> &'static str {
        self.label
    }

    /// Returns the base URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns the number of received calls.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.tokens().len()
    }

    /// Returns the credential of each call.
    #[must_use]
    pub fn tokens(&self) -> Vec<String> {
        self.script.shared.tokens.lock().unwrap().clone()
    }

    /// Returns the number of calls being served now.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.script.shared.in_flight.load(Relaxed)
    }
}

/// Returns the label of the server that gave an answer.
#[must_use]
pub fn served_by<T>(response: &Response<T>) -> String {
    let label = response.metadata().get("x-server").unwrap();
    label.to_str().unwrap().to_owned()
}

#[derive(Clone)]
pub(super) struct Script {
    shared: Arc<Shared>,
}

struct Shared {
    label: &'static str,
    play: Box<dyn Fn(usize) -> Play + Send + Sync>,
    tokens: Mutex<Vec<String>>,
    in_flight: AtomicUsize,
}

impl Script {
    fn new(label: &'static str, play: impl Fn(usize) -> Play + Send + Sync + 'static) -> Self {
        Self {
            shared: Arc::new(Shared {
                label,
                play: Box::new(play),
                tokens: Mutex::default(),
                in_flight: AtomicUsize::new(0),
            }),
        }
    }

    /// Returns the reaction to a call with these fields.
    pub(super) fn next(&self, metadata: &MetadataMap) -> Play {
        let token = metadata.get("authorization");
        let token = token.map_or("none", |token| token.to_str().unwrap());
        let mut tokens = self.shared.tokens.lock().unwrap();
        tokens.push(token.to_owned());
        (self.shared.play)(tokens.len())
    }

    pub(super) fn name<T>(&self, message: T) -> Response<T> {
        let mut response = Response::new(message);
        let label = self.shared.label.parse().unwrap();
        response.metadata_mut().insert("x-server", label);
        response
    }

    fn enter(&self) -> InFlight {
        self.shared.in_flight.fetch_add(1, Relaxed);
        InFlight(Arc::clone(&self.shared))
    }
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Script").field(&self.shared.label).finish()
    }
}

struct InFlight(Arc<Shared>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Relaxed);
    }
}

#[tonic::async_trait]
impl Health for Script {
    type WatchStream = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        let _in_flight = self.enter();
        match self.next(request.metadata()) {
            Play::Serve => Ok(self.name(message())),
            Play::Refuse(status) | Play::RefuseLate(status) | Play::Break(status) => Err(status),
            Play::Stall => std::future::pending().await,
        }
    }

    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let in_flight = self.enter();
        let stream = match self.next(request.metadata()) {
            Play::Refuse(status) => return Err(status),
            Play::RefuseLate(status) => stream::iter(vec![Err(status)]).boxed(),
            Play::Break(status) => stream::iter(vec![Ok(message()), Err(status)]).boxed(),
            Play::Serve => stream::iter((0..3).map(|_| Ok(message()))).boxed(),
            Play::Stall => stream::iter([Ok(message())])
                .chain(stream::pending())
                .boxed(),
        };
        let held = stream.inspect(move |_| {
            let _ = &in_flight;
        });
        Ok(self.name(held.boxed()))
    }
}

fn message() -> HealthCheckResponse {
    HealthCheckResponse { status: 1 }
}
