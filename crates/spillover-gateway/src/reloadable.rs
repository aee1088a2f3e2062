//! A service that follows the active configuration.

#[cfg(test)]
mod tests;

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use tokio::sync::watch;
use tower::Service;

use crate::runtime::ActiveConfig;

/// Serves each request with the configuration that is active on its arrival. Requests in flight keep theirs.
///
/// Clones share the function that builds the service, which runs once for each configuration.
pub(crate) struct Reloadable<M, S> {
    configs: watch::Receiver<Arc<ActiveConfig>>,
    maker: Arc<Maker<M, S>>,
    /// `None` before the first request, so that an idle clone does not keep an old configuration in memory.
    service: Option<S>,
}

struct Maker<M, S> {
    make: M,
    newest: Mutex<(Arc<ActiveConfig>, S)>,
}

impl<M, S> Reloadable<M, S>
where
    M: Fn(&Arc<ActiveConfig>) -> S,
    S: Clone,
{
    pub(crate) fn new(mut configs: watch::Receiver<Arc<ActiveConfig>>, make: M) -> Self {
        let active = configs.borrow_and_update().clone();
        let service = make(&active);
        Self {
            configs,
            maker: Arc::new(Maker {
                newest: Mutex::new((active, service)),
                make,
            }),
            service: None,
        }
    }

    /// Returns the service of the active configuration.
    #[cold]
    fn rebuild(&mut self) -> &mut S {
        let active = self.configs.borrow_and_update().clone();
        let mut newest = self
            .maker
            .newest
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if !Arc::ptr_eq(&newest.0, &active) {
            *newest = (Arc::clone(&active), (self.maker.make)(&active));
        }
        self.service.insert(newest.1.clone())
    }
}

impl<M, S, R> Service<R> for Reloadable<M, S>
where
    M: Fn(&Arc<ActiveConfig>) -> S,
    S: Service<R> + Clone,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        // Switches here and not in `call`, because the new service must be polled ready. The configuration stays as it is
        // when the sender is gone.
        let is_changed = self.configs.has_changed().unwrap_or(false);
        let service = match &mut self.service {
            Some(service) if !is_changed => service,
            _ => self.rebuild(),
        };
        service.poll_ready(cx)
    }

    fn call(&mut self, request: R) -> S::Future {
        let service = self.service.as_mut();
        service.expect("it was polled ready").call(request)
    }
}

impl<M, S> Clone for Reloadable<M, S> {
    fn clone(&self) -> Self {
        Self {
            configs: self.configs.clone(),
            maker: Arc::clone(&self.maker),
            service: None,
        }
    }
}

impl<M, S> fmt::Debug for Reloadable<M, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reloadable").finish_non_exhaustive()
    }
}
