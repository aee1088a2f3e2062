//! Routes each request to its pool.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response};
use spillover_proxy::{
    Progress,
    client_keys::Client,
    error::{ErrorFormat, ErrorKind, ProxyError},
    future::ResponseFuture,
    model_error::unreadable_response,
};
use tower::Service;
use tower_spillover::model::Extracted;

use crate::{
    ready::call_ready,
    runtime::{ActiveConfig, PoolRuntime},
};

/// The stacks of all pools.
///
/// Clones share the stacks. A lock that only the requests of one thread take costs less than a clone of a stack for each
/// request, which changes the counter of everything that the stack shares.
#[derive(Debug)]
pub(crate) struct Router<S> {
    active: Arc<ActiveConfig>,
    stacks: Arc<[Mutex<S>]>,
}

impl<S> Router<S> {
    /// Creates a router with the stacks that `stack` returns for each pool.
    pub(crate) fn new(active: Arc<ActiveConfig>, stack: impl Fn(&Arc<PoolRuntime>) -> S) -> Self {
        Self {
            stacks: active.pools().iter().map(stack).map(Mutex::new).collect(),
            active,
        }
    }
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for Router<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>, Error = Infallible>,
    ResBody: From<Bytes>,
{
    type Response = Response<ResBody>;
    type Error = Infallible;
    type Future = ResponseFuture<S::Future, ResBody>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // Only the request tells which stack has to be ready.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let extensions = request.extensions();
        let found = extensions.get::<Extracted>();
        if let Some(unreadable) = found.and_then(Extracted::unreadable_reason)
            && self.active.routes().depends_on_model(&request)
        {
            let format = ErrorFormat::of_request(request.uri(), request.headers());
            return ResponseFuture::answer(unreadable_response(unreadable, format));
        }
        let model = found.and_then(Extracted::model);
        let index = match self.active.routes().choose(&request, model) {
            Ok(Some(index)) => index,
            Ok(None) => return ResponseFuture::answer(no_pool(&request)),
            Err(_) => return ResponseFuture::answer(two_pools(&request)),
        };
        let name = self.active.pools()[index].name();
        if let Some(progress) = extensions.get::<Progress>() {
            progress.set_pool(name);
        }
        if extensions
            .get()
            .is_some_and(|client: &Client| !client.may_use(name))
        {
            return ResponseFuture::answer(other_key(&request));
        }
        let mut stack = self.stacks[index]
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        ResponseFuture::inner(call_ready(&mut *stack, request))
    }
}

impl<S> Clone for Router<S> {
    fn clone(&self) -> Self {
        Self {
            active: Arc::clone(&self.active),
            stacks: Arc::clone(&self.stacks),
        }
    }
}

fn no_pool<ReqBody, ResBody: From<Bytes>>(request: &Request<ReqBody>) -> Response<ResBody> {
    let format = ErrorFormat::of_request(request.uri(), request.headers());
    format.response(&ProxyError {
        kind: ErrorKind::NoPool,
        message: "No pool of this gateway takes this host, path and model.".into(),
    })
}

fn two_pools<ReqBody, ResBody: From<Bytes>>(request: &Request<ReqBody>) -> Response<ResBody> {
    let format = ErrorFormat::of_request(request.uri(), request.headers());
    format.response(&ProxyError {
        kind: ErrorKind::Ambiguous,
        message: "The path or the query can be read as one for another pool.".into(),
    })
}

fn other_key<ReqBody, ResBody: From<Bytes>>(request: &Request<ReqBody>) -> Response<ResBody> {
    let format = ErrorFormat::of_request(request.uri(), request.headers());
    format.response(&ProxyError {
        kind: ErrorKind::Forbidden,
        message: "This key does not open the pool that the request is for.".into(),
    })
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use http_body_util::{BodyExt, Full};
    use sha2::{Digest, Sha256};
    use spillover_core::{Backend, Pool};
    use spillover_proxy::client_keys::{ClientKeysLayer, KeyRing};
    use spillover_testing::Probe;
    use tower::{Layer, ServiceBuilder, ServiceExt};
    use tower_spillover::model::{Fields, ModelScopeLayer, Uses};
    use wildmatch::WildMatch;

    use super::*;
    use crate::runtime::{PoolConfig, Route};

    /// Returns a configuration with one pool, `chat`, for the deployments that match `gpt*`.
    fn active() -> Arc<ActiveConfig> {
        let backend = Backend::builder("b").url("https://upstream.example");
        let backend = backend.build().unwrap();
        let mut config = PoolConfig::new("chat", [backend.clone()]);
        config.routes = vec![Route {
            model: Some(WildMatch::new("gpt*")),
            ..Route::default()
        }];
        Arc::new(ActiveConfig::with_pool(
            config,
            Pool::new([backend]).unwrap(),
        ))
    }

    fn router() -> Router<Probe<(), Full<Bytes>, Infallible>> {
        Router::new(active(), |pool| {
            let name = Bytes::copy_from_slice(pool.name().as_bytes());
            Probe::new(move |_| {
                let name = name.clone();
                async move { Ok(Response::new(Full::new(name))) }
            })
        })
    }

    /// Returns the fields that the model layer extracts from a body.
    fn found(body: &'static str) -> Extracted {
        let (send, found) = std::sync::mpsc::channel();
        let inner: Probe<_, Full<Bytes>, Infallible> = Probe::new(move |request: Request<_>| {
            send.send(request.extensions().get::<Extracted>().cloned())
                .unwrap();
            async { Ok(Response::new(Full::default())) }
        });
        let uses = Uses {
            is_routed: true,
            ..Uses::default()
        };
        let service = ModelScopeLayer::new(Fields::new([], uses)).layer(inner);
        let request = Request::post("/").header("content-type", "application/json");
        let request = request.body(Full::<Bytes>::from(body)).unwrap();
        let Ok(_) = service.oneshot(request).now_or_never().unwrap();
        found.recv().unwrap().unwrap()
    }

    async fn text(response: Response<Full<Bytes>>) -> (u16, String) {
        let status = response.status().as_u16();
        let Ok(body) = response.into_body().collect().await;
        (status, String::from_utf8(body.to_bytes().into()).unwrap())
    }

    #[tokio::test]
    async fn request_goes_to_its_pool_or_gets_404() {
        let send = |path: &str| router().oneshot(Request::post(path).body(()).unwrap());
        let Ok(response) = send("/openai/deployments/gpt-4o/chat/completions").await;
        assert_eq!(text(response).await, (200, "chat".to_owned()));
        let Ok(response) = send("/openai/deployments/o3/chat/completions").await;
        let (status, body) = text(response).await;
        assert_eq!(status, 404);
        assert!(body.contains("not_found"), "{body}");
        let Ok(response) = send("/v1/messages").await;
        let (status, body) = text(response).await;
        assert_eq!(status, 404);
        assert!(body.contains("not_found_error"), "{body}");
    }

    #[tokio::test]
    async fn key_may_use_its_own_pools_only() {
        let key = |pool: &str| spillover_proxy::client_keys::ClientKey {
            name: pool.into(),
            sha256: Sha256::digest(pool).into(),
            pools: vec![pool.into()],
            requests_per_minute: None,
        };
        let keys = KeyRing::new(&[key("chat"), key("other")]);
        let service = ServiceBuilder::new()
            .layer(ClientKeysLayer::new(keys))
            .service(router());
        for (key, expected) in [("chat", 200), ("other", 403)] {
            let request = Request::post("/openai/deployments/gpt-4o/chat/completions")
                .header("api-key", key)
                .body(())
                .unwrap();
            let Ok(response) = service.clone().oneshot(request).await;
            assert_eq!(text(response).await.0, expected);
        }
    }

    #[tokio::test]
    async fn target_that_could_be_read_for_another_pool_is_refused() {
        let send = |method: &str, target: &str| {
            let found = found(r#"{"model":"gpt-4o"}"#);
            let request = Request::builder().method(method).uri(target);
            let request = request.extension(found).body(()).unwrap();
            router().oneshot(request)
        };
        for (method, target, expected) in [
            ("POST", "/v1/chat/completions", 200),
            ("POST", "/v1//chat/./completions", 200),
            ("POST", "/openai/Deployments/o3/chat/completions", 404),
            ("POST", "/openai/deploy%6dents/o3/chat/completions", 400),
            ("POST", "/openai/deployments//o3/chat/completions", 400),
            ("POST", "/openai/deployments%2Fo3/chat/completions", 400),
            ("POST", "/openai/deployments/gpt-4o/../o3/chat", 400),
            ("POST", "/openai/deployments/gpt-4o/%2E%2e/o3/chat", 400),
            ("POST", "/openai/deployments/gpt-4o/x/../chat", 200),
            ("POST", "/openai/deployments/gpt%2D4o/chat/completions", 200),
        ] {
            let Ok(response) = send(method, target).await;
            assert_eq!(response.status(), expected, "{target}");
        }
    }

    #[tokio::test]
    async fn model_of_a_request_without_body_is_in_the_query() {
        for (method, target, expected) in [
            ("GET", "/v1/realtime?model=gpt-realtime", 200),
            ("GET", "/v1/realtime?model=o3", 404),
            ("GET", "/v1/realtime?model=gpt-realtime&model=gpt-4o", 200),
            ("GET", "/v1/realtime?model=gpt-realtime&model=o3", 400),
            (
                "GET",
                "/v1/realtime?deployment=gpt-realtime&mod%65l=o3",
                400,
            ),
            ("POST", "/v1/chat/completions?model=gpt-4o", 404),
        ] {
            let request = Request::builder().method(method).uri(target);
            let Ok(response) = router().oneshot(request.body(()).unwrap()).await;
            assert_eq!(response.status(), expected, "{target}");
        }
    }
}
