//! The subject of a check, over a probe that answers by a script.

use std::task::Poll;

use http::{Request, Response};
use http_body_util::Full;
use spillover_testing::{Probe, probe::ProbeHandle};
use tokio::{sync::Semaphore, time::Instant};
use tokio_test::task;
use tower::{ServiceExt, limit::ConcurrencyLimit};
use tower_spillover::{Backend, Pool, Query};

use crate::subject::{Body, HttpService, Subject};

/// The subject over a probe. `instances` is the number of instances of the probe while no request is in flight.
pub(crate) struct Setup<S> {
    pub(crate) pool: Pool,
    pub(crate) service: S,
    pub(crate) handle: ProbeHandle<&'static str>,
    pub(crate) instances: usize,
}

/// Creates the subject over this probe.
pub(crate) fn setup<T: Subject>(
    inner: Probe<T::InnerBody, (), &'static str>,
) -> Setup<impl HttpService<Body>> {
    setup_with_limit::<T>(inner, Semaphore::MAX_PERMITS)
}

/// Creates the subject over this probe, limited to `limit` concurrent calls.
pub(crate) fn setup_with_limit<T: Subject>(
    inner: Probe<T::InnerBody, (), &'static str>,
    limit: usize,
) -> Setup<impl HttpService<Body>> {
    let pool = Pool::new(["a", "b"].map(|label| {
        let backend = Backend::builder(label).url("http://upstream.example");
        backend.build().unwrap()
    }));
    let pool = pool.unwrap();
    let handle = inner.handle();
    let service = T::wrap(pool.clone(), ConcurrencyLimit::new(inner, limit));
    Setup {
        instances: handle.instances(),
        pool,
        service,
        handle,
    }
}

/// Creates a probe that answers with this status or error after it has yielded once.
pub(crate) fn answering<T: Subject>(
    mut answer: impl FnMut() -> Result<u16, &'static str> + Send + 'static,
) -> Probe<T::InnerBody, (), &'static str> {
    Probe::new(move |_| {
        let answer = answer();
        async move {
            tokio::task::yield_now().await;
            Ok(Response::builder().status(answer?).body(()).unwrap())
        }
    })
}

/// Creates a probe that refuses every second request, beginning with the first.
pub(crate) fn refusing_every_second<T: Subject>() -> Probe<T::InnerBody, (), &'static str> {
    let mut is_refused = false;
    answering::<T>(move || {
        is_refused = !is_refused;
        Ok(if is_refused { 503 } else { 200 })
    })
}

/// Creates a request that every subject can handle.
pub(crate) fn request(pool: &Pool) -> Request<Body> {
    let mut request = Request::new(Full::from("question"));
    let selected = pool
        .select(&Query::new(), Instant::now(), 0)
        .expect("none is throttled");
    request.extensions_mut().insert(selected);
    request
}

pub(crate) fn poll_ready<S: HttpService<Body>>(service: &mut S) -> Poll<Result<(), S::Error>> {
    task::spawn(()).enter(|cx, _| service.poll_ready(cx))
}

/// Sends requests at once, each through a clone of the service, and waits for the answers.
pub(crate) async fn send_at_once<S: HttpService<Body>>(it: &Setup<S>, requests: usize) {
    let send = |_| tokio::spawn(it.service.clone().oneshot(request(&it.pool)));
    let sent: Vec<_> = (0..requests).map(send).collect();
    for sent in sent {
        sent.await.unwrap().unwrap();
    }
}
