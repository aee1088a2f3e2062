//! Sends each request to its pool.

use std::{
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response};
use tower::Service;

use crate::{
    access_log::Progress,
    answer::ResponseFuture,
    clients::Client,
    dialect::{Dialect, ErrorKind, GatewayError},
    model_scope::Found,
    ready::call_ready,
    site::{PoolSite, Site},
};

/// The stacks of all pools. Each request has its own clone of one of them.
#[derive(Debug)]
pub(crate) struct Router<S> {
    site: Arc<Site>,
    stacks: Arc<[S]>,
}

impl<S> Router<S> {
    /// `stack` makes the one of a pool.
    pub(crate) fn new(site: Arc<Site>, stack: impl Fn(&Arc<PoolSite>) -> S) -> Self {
        Self {
            stacks: site.pools().iter().map(stack).collect(),
            site,
        }
    }
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for Router<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>, Error = Infallible> + Clone,
    ResBody: From<Bytes>,
{
    type Response = Response<ResBody>;
    type Error = Infallible;
    type Future = ResponseFuture<S::Future, ResBody>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // Which stack must be is known from the request only.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let extensions = request.extensions();
        let found = extensions.get::<Found>();
        let model = found.and_then(Found::model);
        let Some(index) = self.site.routes().choose(&request, model) else {
            return ResponseFuture::answer(no_pool(&request));
        };
        let name = self.site.pools()[index].name();
        if let Some(progress) = extensions.get::<Progress>() {
            progress.note_pool(name);
        }
        if extensions
            .get()
            .is_some_and(|client: &Client| !client.may_use(name))
        {
            return ResponseFuture::answer(other_key(&request));
        }
        ResponseFuture::inner(call_ready(&mut self.stacks[index].clone(), request))
    }
}

impl<S> Clone for Router<S> {
    fn clone(&self) -> Self {
        Self {
            site: Arc::clone(&self.site),
            stacks: Arc::clone(&self.stacks),
        }
    }
}

fn no_pool<ReqBody, ResBody: From<Bytes>>(request: &Request<ReqBody>) -> Response<ResBody> {
    let dialect = Dialect::of(request.uri(), request.headers());
    dialect.response(&GatewayError {
        kind: ErrorKind::NoPool,
        message: "No pool of this gateway takes this host, path and model.".into(),
    })
}

fn other_key<ReqBody, ResBody: From<Bytes>>(request: &Request<ReqBody>) -> Response<ResBody> {
    let dialect = Dialect::of(request.uri(), request.headers());
    dialect.response(&GatewayError {
        kind: ErrorKind::Forbidden,
        message: "This key does not open the pool that the request is for.".into(),
    })
}

#[cfg(test)]
mod tests {
    use http_body_util::{BodyExt, Full};
    use sha2::{Digest, Sha256};
    use spillover_core::{Backend, Pool};
    use spillover_testing::Probe;
    use tower::{ServiceBuilder, ServiceExt};
    use wildmatch::WildMatch;

    use super::*;
    use crate::{
        clients::{ClientsLayer, KeyRing},
        config::{self, PoolConfig, Route},
    };

    /// A site whose only pool, `chat`, takes the deployments that begin with `gpt`.
    fn site() -> Arc<Site> {
        let backend = Backend::builder("b").url("https://upstream.example");
        let backend = backend.build().unwrap();
        let mut config = PoolConfig::new("chat", [backend.clone()]);
        config.routes = vec![Route {
            model: Some(WildMatch::new("gpt*")),
            ..Route::default()
        }];
        Arc::new(Site::of_pool(config, Pool::new([backend]).unwrap()))
    }

    fn router() -> Router<Probe<(), Full<Bytes>, Infallible>> {
        Router::new(site(), |pool| {
            let name = Bytes::copy_from_slice(pool.name().as_bytes());
            Probe::new(move |_| {
                let name = name.clone();
                async move { Ok(Response::new(Full::new(name))) }
            })
        })
    }

    async fn text(response: Response<Full<Bytes>>) -> (u16, String) {
        let status = response.status().as_u16();
        let Ok(body) = response.into_body().collect().await;
        (status, String::from_utf8(body.to_bytes().into()).unwrap())
    }

    #[tokio::test]
    async fn a_request_goes_to_its_pool_or_is_told_that_there_is_none() {
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
    async fn a_key_opens_its_pools_only() {
        let key = |pool: &str| config::ClientKey {
            name: pool.into(),
            sha256: Sha256::digest(pool).into(),
            pools: vec![pool.into()],
            requests_per_minute: None,
        };
        let keys = KeyRing::new(&config::Clients {
            keys: vec![key("chat"), key("other")],
            cors: None,
        });
        let service = ServiceBuilder::new()
            .layer(ClientsLayer::new(keys))
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
}
