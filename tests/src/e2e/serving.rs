use std::{convert::Infallible, io, net::SocketAddr, sync::Arc, thread};

use axum::body::Body;
use http::{Request, Response};
use spillover_serve::{
    Connections, Listener, Phases, RequestBody, Server, Shutdown, Tls, tls::Acceptor,
};
use tokio::{
    runtime,
    sync::{mpsc, oneshot},
};
use tower::service_fn;

use super::soon;

/// The server of the gateway in this process, with a service of the test's own.
#[derive(Debug)]
pub struct Serving {
    addresses: Vec<SocketAddr>,
    phases: Phases,
    acceptors: Vec<Arc<Acceptor>>,
    stop: mpsc::Sender<()>,
    ended: oneshot::Receiver<io::Result<()>>,
}

impl Serving {
    /// Starts one that listens in clear text, and answers by `answer`.
    pub async fn start<F>(
        connections: Connections,
        answer: impl Fn(Request<RequestBody>) -> F + Clone + Send + Sync + Unpin + 'static,
    ) -> Self
    where
        F: Future<Output = Response<Body>> + Send + 'static,
    {
        Self::start_with(&[None], connections, Shutdown::default(), answer).await
    }

    /// Starts one with a listener for each of these.
    pub async fn start_with<F>(
        tls: &[Option<Tls>],
        connections: Connections,
        shutdown: Shutdown,
        answer: impl Fn(Request<RequestBody>) -> F + Clone + Send + Sync + Unpin + 'static,
    ) -> Self
    where
        F: Future<Output = Response<Body>> + Send + 'static,
    {
        let listeners: Vec<_> = tls.iter().cloned().map(listener).collect();
        let (stop, mut stopped) = mpsc::channel(2);
        let (started, start) = oneshot::channel();
        let (end, ended) = oneshot::channel();
        thread::spawn(move || {
            let runtime = runtime::Builder::new_current_thread().enable_all().build();
            let serve = async {
                let server = Server::bind(&listeners, connections, shutdown).await;
                let server = server.expect("free ports and good files");
                let addresses = server.addresses().expect("they are bound");
                let told = (addresses, server.phases(), server.acceptors());
                started.send(told).expect("the test waits");
                let service = || {
                    let answer = answer.clone();
                    service_fn(move |request| {
                        let answer = answer(request);
                        async { Ok::<_, Infallible>(answer.await) }
                    })
                };
                let stop = async || stopped.recv().await.unwrap_or_default();
                server.run(service, stop).await
            };
            let _ = end.send(runtime.expect("a runtime").block_on(serve));
        });
        let (addresses, phases, acceptors) = soon(start).await.expect("it starts");
        Self {
            addresses,
            phases,
            acceptors,
            stop,
            ended,
        }
    }

    /// Where the first listener is.
    pub fn address(&self) -> SocketAddr {
        self.addresses[0]
    }

    /// Where all are.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// How far it is on its way out.
    pub fn phases(&self) -> Phases {
        self.phases.clone()
    }

    /// The certificates of the listeners with TLS.
    pub fn acceptors(&self) -> &[Arc<Acceptor>] {
        &self.acceptors
    }

    /// Tells it to stop, as a signal would.
    pub async fn stop(&self) {
        self.stop.send(()).await.expect("it serves");
    }

    /// Waits for its end.
    pub async fn end(self) {
        let ended = soon(self.ended).await.expect("it says how it ended");
        ended.expect("it ends well");
    }
}

fn listener(tls: Option<Tls>) -> Listener {
    let address = SocketAddr::from(([127, 0, 0, 1], 0)).into();
    Listener { address, tls }
}
