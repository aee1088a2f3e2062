use std::{env, io, num::NonZero, sync::Arc, thread};

use tokio::{
    net::TcpListener,
    runtime::{Builder, Runtime},
    sync::oneshot,
    time::{Duration, sleep},
};
use tokio_util::task::TaskTracker;

use super::{
    Phase, Phases, RequestBody,
    accept::{Entrance, Entrances},
    connection::{Connection, Context},
    limit::ConnectionLimit,
    server::Bound,
};
use crate::{app::Gateway, serve::Connections};

/// What all threads go by.
#[derive(Debug)]
pub(super) struct Setup {
    pub(super) listeners: Vec<Bound>,
    pub(super) limit: Arc<ConnectionLimit>,
    pub(super) connections: Connections,
    /// For the requests that are under way when no more connections are accepted.
    pub(super) deadline: Duration,
    pub(super) phases: Phases,
}

/// Serves on this thread and on others. Returns whether all requests came to their end.
///
/// Each thread takes connections from the same listeners whenever it has time. Unlike listeners of their own
/// (`SO_REUSEPORT`) that keeps a busy thread from new connections.
pub(super) async fn serve<S>(setup: Setup, service: impl Fn() -> S) -> io::Result<bool>
where
    S: Gateway<RequestBody>,
{
    let mut others = Vec::new();
    for _ in 1..threads() {
        let (runtime, work) = (one_thread()?, work(&setup, service())?);
        let (finish, finished) = oneshot::channel();
        thread::spawn(move || {
            // Nobody asks any more when the server is given up.
            let _ = finish.send(runtime.block_on(work));
        });
        others.push(finished);
    }
    let own = work(&setup, service())?;
    // The other threads have the listeners now: when all have closed theirs, the addresses are free.
    drop(setup);
    let mut is_finished = own.await?;
    for other in others {
        let ended = other.await;
        is_finished &= ended.map_err(|_| io::Error::other("a thread panicked"))??;
    }
    Ok(is_finished)
}

/// What one thread does.
fn work<S>(
    setup: &Setup,
    service: S,
) -> io::Result<impl Future<Output = io::Result<bool>> + Send + 'static + use<S>>
where
    S: Gateway<RequestBody>,
{
    let listeners = setup.listeners.iter();
    let listeners: Vec<_> = listeners
        .map(|bound| Ok((bound.listener.try_clone()?, bound.tls.clone())))
        .collect::<io::Result<_>>()?;
    let (limit, deadline) = (Arc::clone(&setup.limit), setup.deadline);
    let mut phases = setup.phases.clone();
    let connections = setup.connections.clone();
    Ok(async move {
        let entrances = listeners.into_iter().map(|(listener, tls)| {
            let listener = TcpListener::from_std(listener)?;
            io::Result::Ok(Entrance::new(listener, tls))
        });
        let mut entrances = Entrances::new(entrances.collect::<Result<_, _>>()?);
        let tasks = TaskTracker::new();
        let context = Arc::new(Context::new(service, connections, tasks.clone()));

        let arrivals = phases.clone();
        let accepting = async {
            loop {
                limit.wait().await;
                let arrival = entrances.accept().await;
                let place = limit.place().await;
                let connection = Connection::new(Arc::clone(&context), place, arrivals.clone());
                tasks.spawn(connection.serve(arrival));
            }
        };
        tokio::select! {
            () = phases.reached(Phase::Draining) => {}
            () = accepting => {}
        }
        drop(entrances);
        tasks.close();
        Ok(tokio::select! {
            biased;
            // Connections see that, too, and end: all at once is not to be taken for well.
            () = phases.reached(Phase::Ended) => false,
            () = tasks.wait() => true,
            () = sleep(deadline) => false,
        })
    })
}

/// A runtime without threads beside the one that it is used on.
pub(crate) fn one_thread() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

/// As many as Tokio would start.
fn threads() -> usize {
    let set = env::var("TOKIO_WORKER_THREADS");
    let set = set.ok().and_then(|count| count.trim().parse().ok());
    set.unwrap_or_else(|| thread::available_parallelism().map_or(1, NonZero::get))
}
