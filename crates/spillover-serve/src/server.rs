use std::{error, fmt, future::pending, io, net, sync::Arc, time::Duration};

use tokio::{net::TcpListener, sync::watch, time::sleep};

use crate::{
    Connections, HttpService, ListenAddr, Listener, Phase, Phases, RequestBody, Shutdown,
    limit::ConnectionLimit,
    threads::{self, Bound},
    tls::{Acceptor, TlsError},
};

/// A server with bound addresses.
#[derive(Debug)]
pub struct Server {
    listeners: Vec<Bound>,
    connections: Connections,
    shutdown: Shutdown,
    enter: watch::Sender<Phase>,
    phases: Phases,
}

impl Server {
    /// Reads the files for TLS, and binds the addresses. From then on clients can connect, and wait for [`run`](Self::run).
    ///
    /// # Errors
    ///
    /// Returns a [`StartError`] that names the file or the address that cannot be used.
    pub async fn bind(
        listeners: &[Listener],
        connections: Connections,
        shutdown: Shutdown,
    ) -> Result<Self, StartError> {
        let tls: Vec<_> = listeners.iter().map(acceptor).collect::<Result<_, _>>()?;
        let mut bound = Vec::new();
        for (listener, tls) in listeners.iter().zip(tls) {
            let listener = bind(&listener.address).await?;
            bound.push(Bound { listener, tls });
        }
        let (enter, phases) = Phases::new();
        Ok(Self {
            listeners: bound,
            connections,
            shutdown,
            enter,
            phases,
        })
    }

    /// Returns the bound addresses, in the order of the listeners.
    ///
    /// # Errors
    ///
    /// Returns the error of the system call.
    pub fn addresses(&self) -> io::Result<Vec<net::SocketAddr>> {
        let listeners = self.listeners.iter();
        listeners.map(|bound| bound.listener.local_addr()).collect()
    }

    /// Returns a receiver of the current phase.
    pub fn phases(&self) -> Phases {
        self.phases.clone()
    }

    /// Returns the TLS acceptors of the listeners that have TLS. Certificates can be reloaded while the server runs.
    pub fn acceptors(&self) -> Vec<Arc<Acceptor>> {
        let listeners = self.listeners.iter();
        listeners.filter_map(|bound| bound.tls.clone()).collect()
    }

    /// Serves on this thread and on further ones, one for each core. The variable `TOKIO_WORKER_THREADS` sets another number.
    /// Each thread has a service of its own, so that no request waits for another thread.
    ///
    /// The shutdown begins when the future of `stop` ends: the server finishes the requests in flight, up to
    /// [`Shutdown::deadline`]. It calls `stop` once more meanwhile, and ends at once when that future ends, too.
    ///
    /// # Errors
    ///
    /// Returns an error if a thread cannot be started, or has panicked.
    pub async fn run<S>(
        self,
        service: impl Fn() -> S,
        mut stop: impl AsyncFnMut(),
    ) -> io::Result<()>
    where
        S: HttpService<RequestBody>,
    {
        for Bound { listener, tls } in &self.listeners {
            tracing::info!(address = %listener.local_addr()?, tls = tls.is_some(), "listening");
        }
        let setup = threads::Setup {
            listeners: self.listeners,
            limit: Arc::new(ConnectionLimit::new(self.connections.max)),
            connections: self.connections,
            deadline: self.shutdown.deadline,
            phases: self.phases,
        };
        let (enter, delay) = (self.enter, self.shutdown.delay);
        let leaving = async {
            stop().await;
            tokio::select! {
                () = leave(&enter, delay) => {}
                () = stop() => {}
            }
            enter.send_replace(Phase::Ended);
            pending().await
        };
        let is_finished = tokio::select! {
            is_finished = threads::serve(setup, service) => is_finished?,
            never = leaving => never,
        };
        if is_finished {
            tracing::info!("stopped");
        } else {
            tracing::warn!("stopped, with requests still under way");
        }
        Ok(())
    }
}

/// Passes through the phases of a shutdown.
async fn leave(enter: &watch::Sender<Phase>, delay: Duration) {
    if !delay.is_zero() {
        tracing::info!(
            seconds = delay.as_secs_f64(),
            "stopping: not ready any more, still accepting connections"
        );
        enter.send_replace(Phase::Leaving);
        sleep(delay).await;
    }
    tracing::info!("stopping: no new connections, finishing the requests under way");
    enter.send_replace(Phase::Draining);
    pending::<()>().await;
}

fn acceptor(listener: &Listener) -> Result<Option<Arc<Acceptor>>, StartError> {
    let acceptor = listener.tls.as_ref().map(Acceptor::load).transpose();
    Ok(acceptor.map_err(StartError::Tls)?.map(Arc::new))
}

async fn bind(address: &ListenAddr) -> Result<net::TcpListener, StartError> {
    let bound = async { TcpListener::bind(address.as_str()).await?.into_std() };
    bound.await.map_err(|error| StartError::Address {
        address: address.clone(),
        error,
    })
}

/// Error: a server cannot start.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// A file for TLS is not as expected.
    Tls(TlsError),
    /// An address cannot be listened on.
    Address {
        /// The address.
        address: ListenAddr,
        /// The error of the system call.
        error: io::Error,
    },
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tls(error) => error.fmt(f),
            Self::Address { address, error } => write!(f, "cannot listen on {address}: {error}"),
        }
    }
}

impl error::Error for StartError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Tls(error) => error.source(),
            Self::Address { error, .. } => Some(error),
        }
    }
}
