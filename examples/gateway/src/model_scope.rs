//! Tells which limits apply to a request: they are per model, and so are the cooldowns.

use std::{
    borrow::Cow,
    convert::Infallible,
    mem,
    pin::Pin,
    task::{Context, Poll},
};

use axum::body::{Body, Bytes};
use futures_util::{StreamExt, future::Either, stream};
use http::{
    HeaderMap, Method, Request, Response,
    header::{CONTENT_LENGTH, CONTENT_TYPE},
};
use http_body_util::BodyExt;
use serde::Deserialize;
use tower::{Layer, Service};
use tower_spillover::Scope;

use crate::dialect::{Dialect, ErrorKind, GatewayError};

/// Puts the [`Scope`] of a request into its extensions: the `model` in a JSON body of up to [`LIMIT`] bytes, else the path.
///
/// A path with a deployment says it already; such requests pass through.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ModelScopeLayer;

impl<S> Layer<S> for ModelScopeLayer {
    type Service = ModelScope<S>;

    fn layer(&self, inner: S) -> ModelScope<S> {
        ModelScope { inner }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct ModelScope<S> {
    inner: S,
}

type Boxed = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

impl<S> Service<Request<Body>> for ModelScope<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S: Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Either<S::Future, Boxed>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        if Scope::of_path(request.uri().path()).is_some() {
            return Either::Left(self.inner.call(request));
        }
        // An upload, a list, a body that is too large to be read here: what is limited there is not what chats are.
        let scope = Scope::of(request.uri().path());
        request.extensions_mut().insert(scope);
        if !has_model(&request) {
            return Either::Left(self.inner.call(request));
        }
        // The ready service goes along; the clone that stays behind is not ready.
        let clone = self.inner.clone();
        let mut inner = mem::replace(&mut self.inner, clone);
        Either::Right(Box::pin(async move {
            let dialect = Dialect::of(request.uri(), request.headers());
            match with_scope(request).await {
                Ok(request) => inner.call(request).await,
                Err(error) => {
                    tracing::debug!(error = %error, "the request body could not be read");
                    Ok(dialect.response(&GatewayError {
                        kind: ErrorKind::BadRequest,
                        message: "The request body ended before it was complete.".into(),
                    }))
                }
            }
        }))
    }
}

fn has_model(request: &Request<Body>) -> bool {
    request.method() == Method::POST
        && is_json(request.headers())
        && announced_length(request.headers()).is_none_or(|length| length <= LIMIT)
}

fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).map(|value| value.as_bytes());
    value.is_some_and(|value| {
        value
            .get(..JSON.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(JSON))
    })
}

fn announced_length(headers: &HeaderMap) -> Option<usize> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Reads the body, and puts it back.
async fn with_scope(request: Request<Body>) -> Result<Request<Body>, axum::Error> {
    let (mut head, mut body) = request.into_parts();
    let mut chunks: Vec<Bytes> = Vec::new();
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        // Trailers of a request in JSON say nothing.
        let Ok(data) = frame?.into_data() else {
            continue;
        };
        length += data.len();
        chunks.push(data);
        if length > LIMIT {
            let read = stream::iter(chunks.into_iter().map(Ok));
            let body = Body::from_stream(read.chain(body.into_data_stream()));
            return Ok(Request::from_parts(head, body));
        }
    }
    let body = match <[Bytes; 1]>::try_from(chunks) {
        Ok([only]) => only,
        Err(chunks) => chunks.concat().into(),
    };
    if let Some(scope) = scope_of(&body) {
        head.extensions.insert(scope);
    }
    Ok(Request::from_parts(head, Body::from(body)))
}

fn scope_of(body: &[u8]) -> Option<Scope> {
    #[derive(Deserialize)]
    struct Ask<'a> {
        #[serde(borrow)]
        model: Cow<'a, str>,
    }

    let ask: Ask<'_> = serde_json::from_slice(body).ok()?;
    Some(Scope::of(&ask.model))
}

const JSON: &[u8] = b"application/json";

/// Chat requests are smaller.
const LIMIT: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    async fn scope(body: Body) -> (Option<Scope>, Bytes) {
        let request = Request::new(body);
        let request = with_scope(request).await.unwrap();
        let scope = request.extensions().get::<Scope>().copied();
        let body = request.into_body().collect().await.unwrap().to_bytes();
        (scope, body)
    }

    #[tokio::test]
    async fn the_model_is_the_scope_and_the_body_stays_as_it_is() {
        let text = r#" {"messages": [{"model": "inner"}], "model": "gpt-4o", "n": 1}"#;
        let (found, body) = scope(Body::from(text)).await;
        assert_eq!(found, Some(Scope::of("gpt-4o")));
        assert_eq!(body, text);

        let pieces = text.as_bytes().chunks(7).map(Bytes::copy_from_slice);
        let pieces: Vec<Result<_, Infallible>> = pieces.map(Ok).collect();
        let (found, body) = scope(Body::from_stream(stream::iter(pieces))).await;
        assert_eq!(found, Some(Scope::of("gpt-4o")));
        assert_eq!(body, text);
    }

    #[tokio::test]
    async fn what_is_no_request_for_a_model_has_no_scope() {
        for text in [
            "",
            "{",
            "[]",
            "{}",
            r#"{"model": 4}"#,
            r#"{"model": null}"#,
            "\u{0}",
        ] {
            let (found, body) = scope(Body::from(text)).await;
            assert_eq!(found, None, "{text}");
            assert_eq!(body, text);
        }
    }

    #[tokio::test]
    async fn a_large_body_passes_through_unread() {
        let chunk = Bytes::from(vec![b'x'; LIMIT / 2]);
        let chunks: Vec<Result<_, Infallible>> = vec![Ok(chunk); 5];
        let (found, body) = scope(Body::from_stream(stream::iter(chunks))).await;
        assert_eq!(found, None);
        assert_eq!(body.len(), LIMIT / 2 * 5);
    }

    #[test]
    fn only_json_of_a_moderate_size_is_read() {
        let request = |path: &str, kind: &'static str, length: &'static str| {
            Request::post(path)
                .header(CONTENT_TYPE, kind)
                .header(CONTENT_LENGTH, length)
                .body(Body::empty())
                .unwrap()
        };
        assert!(has_model(&request(
            "/v1/chat/completions",
            "Application/JSON; charset=utf-8",
            "9"
        )));
        assert!(!has_model(&request(
            "/v1/chat/completions",
            "multipart/form-data",
            "9"
        )));
        assert!(!has_model(&request(
            "/v1/chat/completions",
            "application/json",
            "9999999"
        )));
    }
}
