use std::{env, io, net, num::NonZero, sync::Arc, thread};

use tokio::{
    net::TcpListener,
    runtime::{Builder, Runtime},
    sync::oneshot,
    time::{Duration, sleep},
};
use tokio_util::task::TaskTracker;

use crate::{
    Connections, HttpService, Phase, Phases, RequestBody,
    accept::{Listeners, TcpAcceptor},
    connection::{Connection, Context},
    limit::ConnectionLimit,
    tls::Acceptor,
};

/// A bound listener, which all threads share.
#[derive(Debug)]
pub(super) struct Bound {
    pub(super) listener: net::TcpListener,
    pub(super) tls: Option<Arc<Acceptor>>,
}

/// Settings that all threads share.
#[derive(Debug)]
pub(super) struct Setup {
    pub(super) listeners: Vec<Bound>,
    pub(super) limit: Arc<ConnectionLimit>,
    pub(super) connections: Connections,
    /// Longest time for requests that are in flight when accepting ends.
    pub(super) deadline: Duration,
    pub(super) phases: Phases,
}

/// Serves on this thread and on further ones. Returns true if all requests were finished.
///
/// All threads accept from the same listeners. With a listener for each thread (`SO_REUSEPORT`), connections would also go
/// to busy threads.
pub(super) async fn serve<S>(setup: Setup, service: impl Fn() -> S) -> io::Result<bool>
where
    S: HttpService<RequestBody>,
{
    let mut others = Vec::new();
    for _ in 1..threads() {
        let (runtime, work) = (one_thread()?, work(&setup, service())?);
        let (finish, finished) = oneshot::channel();
        thread::spawn(move || {
            // Fails when the server was dropped meanwhile.
            let _ = finish.send(runtime.block_on(work));
        });
        others.push(finished);
    }
    let own = work(&setup, service())?;
    // The threads have handles of the listeners. The addresses are free when all of them are closed.
    drop(setup);
    let mut is_finished = own.await?;
    for other in others {
        let ended = other.await;
        is_finished &= ended.map_err(|_| io::Error::other("a thread panicked"))??;
    }
    Ok(is_finished)
}

/// Returns the future of one thread.
fn work<S>(
    setup: &Setup,
    service: S,
) -> io::Result<impl Future<Output = io::Result<bool>> + Send + 'static + use<S>>
where
    S: HttpService<RequestBody>,
{
    let listeners = setup.listeners.iter();
    let listeners: Vec<_> = listeners
        .map(|bound| Ok((bound.listener.try_clone()?, bound.tls.clone())))
        .collect::<io::Result<_>>()?;
    let (limit, deadline) = (Arc::clone(&setup.limit), setup.deadline);
    let mut phases = setup.phases.clone();
    let connections = setup.connections.clone();
    Ok(async move {
        let listeners = listeners.into_iter().map(|(listener, tls)| {
            let listener = TcpListener::from_std(listener)?;
            io::Result::Ok(TcpAcceptor::new(listener, tls))
        });
        let mut listeners = Listeners::new(listeners.collect::<Result<_, _>>()?);
        let tasks = TaskTracker::new();
        let context = Arc::new(Context::new(service, connections, tasks.clone()));

        let phase = phases.clone();
        let accepting = async {
            loop {
                limit.wait().await;
                let accepted = listeners.accept().await;
                let permit = limit.acquire().await;
                let connection = Connection::new(Arc::clone(&context), permit, phase.clone());
                tasks.spawn(connection.serve(accepted));
            }
        };
        tokio::select! {
            () = phases.reached(Phase::Draining) => {}
            () = accepting => {}
        }
        drop(listeners);
        tasks.close();
        Ok(tokio::select! {
            biased;
            // Checked first: connections see this phase, too, and their end would look like finished requests.
            () = phases.reached(Phase::Ended) => false,
            () = tasks.wait() => true,
            () = sleep(deadline) => false,
        })
    })
}

/// Builds a runtime on the current thread, with I/O and time.
///
/// # Errors
///
/// Returns the error of the system call.
pub fn one_thread() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

/// Returns the number of threads that a multi-threaded Tokio runtime would have.
fn threads() -> usize {
    let set = env::var("TOKIO_WORKER_THREADS");
    let set = set.ok().and_then(|count| count.trim().parse().ok());
    set.unwrap_or_else(|| thread::available_parallelism().map_or(1, NonZero::get))
}
