//! A service that goes by the newest site.

#[cfg(test)]
mod tests;

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use tokio::sync::watch;
use tower::Service;

use crate::site::Site;

/// Serves by the site of the moment when a request comes. What is under way keeps the site that it came to.
///
/// Clones have one maker, which is asked once for each site.
pub(crate) struct Live<M, S> {
    sites: watch::Receiver<Arc<Site>>,
    maker: Arc<Maker<M, S>>,
    /// `None` before the first request: who only waits for one keeps no site that nobody else goes by any more.
    service: Option<S>,
}

struct Maker<M, S> {
    make: M,
    newest: Mutex<(Arc<Site>, S)>,
}

impl<M, S> Live<M, S>
where
    M: Fn(&Arc<Site>) -> S,
    S: Clone,
{
    pub(crate) fn new(mut sites: watch::Receiver<Arc<Site>>, make: M) -> Self {
        let site = sites.borrow_and_update().clone();
        let service = make(&site);
        Self {
            sites,
            maker: Arc::new(Maker {
                newest: Mutex::new((site, service)),
                make,
            }),
            service: None,
        }
    }

    /// The service of the newest site.
    #[cold]
    fn renew(&mut self) -> &mut S {
        let site = self.sites.borrow_and_update().clone();
        let mut newest = self
            .maker
            .newest
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if !Arc::ptr_eq(&newest.0, &site) {
            *newest = (Arc::clone(&site), (self.maker.make)(&site));
        }
        self.service.insert(newest.1.clone())
    }
}

impl<M, S, R> Service<R> for Live<M, S>
where
    M: Fn(&Arc<Site>) -> S,
    S: Service<R> + Clone,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        // Here and not in `call`: it is the new service that must be ready then. Without a sender there is nothing new.
        let is_changed = self.sites.has_changed().unwrap_or(false);
        let service = match &mut self.service {
            Some(service) if !is_changed => service,
            _ => self.renew(),
        };
        service.poll_ready(cx)
    }

    fn call(&mut self, request: R) -> S::Future {
        let service = self.service.as_mut();
        service.expect("it was polled ready").call(request)
    }
}

impl<M, S> Clone for Live<M, S> {
    fn clone(&self) -> Self {
        Self {
            sites: self.sites.clone(),
            maker: Arc::clone(&self.maker),
            service: None,
        }
    }
}

impl<M, S> fmt::Debug for Live<M, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Live").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        convert::Infallible,
        future::{Ready, ready},
        sync::atomic::{AtomicUsize, Ordering::Relaxed},
    };

    use spillover_core::{Backend, Pool};
    use tower::ServiceExt;

    use super::*;
    use crate::config::PoolConfig;

    fn site(pool: &str) -> Arc<Site> {
        let backend = Backend::builder("b").url("https://upstream.example");
        let backend = backend.build().unwrap();
        let config = PoolConfig::new(pool, [backend.clone()]);
        Arc::new(Site::of_pool(config, Pool::new([backend]).unwrap()))
    }

    /// Answers with the name of the site's pool.
    #[derive(Clone)]
    struct Named(String);

    impl Service<()> for Named {
        type Response = String;
        type Error = Infallible;
        type Future = Ready<Result<String, Infallible>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, (): ()) -> Self::Future {
            ready(Ok(self.0.clone()))
        }
    }

    fn named(site: &Arc<Site>) -> Named {
        Named(site.pools()[0].name().to_string())
    }

    async fn ask<S: Service<(), Response = String, Error = Infallible>>(service: &mut S) -> String {
        let Ok(name) = service.ready().await.unwrap().call(()).await;
        name
    }

    #[tokio::test]
    async fn the_newest_site_serves_the_next_request() {
        let sites = watch::Sender::new(site("one"));
        let mut live = Live::new(sites.subscribe(), named);
        let mut other = live.clone();
        assert_eq!(ask(&mut live).await, "one");
        sites.send_replace(site("two"));
        assert_eq!(ask(&mut live).await, "two");
        assert_eq!(ask(&mut live.clone()).await, "two");
        sites.send_replace(site("three"));
        sites.send_replace(site("four"));
        assert_eq!(ask(&mut other).await, "four");
        drop(sites);
        assert_eq!(ask(&mut live).await, "two");
    }

    #[tokio::test]
    async fn clones_have_one_service_for_each_site() {
        let sites = watch::Sender::new(site("one"));
        let made = AtomicUsize::new(0);
        let live = Live::new(sites.subscribe(), |site: &Arc<Site>| {
            made.fetch_add(1, Relaxed);
            named(site)
        });
        let mut clones: Vec<_> = (0..5).map(|_| live.clone()).collect();
        sites.send_replace(site("two"));
        for clone in &mut clones {
            assert_eq!(ask(clone).await, "two");
            assert_eq!(ask(clone).await, "two");
        }
        assert_eq!(made.load(Relaxed), 2);
    }

    #[tokio::test]
    async fn one_that_is_ready_serves_by_its_site() {
        let sites = watch::Sender::new(site("one"));
        let mut live = Live::new(sites.subscribe(), named);
        live.ready().await.unwrap();
        sites.send_replace(site("two"));
        let Ok(name) = live.call(()).await;
        assert_eq!(name, "one");
        assert_eq!(ask(&mut live).await, "two");
    }
}
