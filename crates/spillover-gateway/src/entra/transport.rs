use std::{error::Error as _, fmt, iter};

use async_trait::async_trait;
use azure_core::{
    error::ErrorKind,
    http::{AsyncRawResponse, Body, HttpClient, Request, headers::Headers},
};
use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::connect::Connect;
use serde::Deserialize;
use spillover_proxy::upstream::{Client, ConnectSettings};

/// Lets `azure_identity` use the HTTP client of the gateway.
pub(super) struct Transport<C> {
    client: Client<C, Full<Bytes>>,
}

impl<C> Transport<C>
where
    C: Connect + Clone + Send + Sync + 'static,
{
    pub(super) fn new(connector: C) -> Self {
        Self {
            client: ConnectSettings::new(true).client(connector),
        }
    }
}

#[async_trait]
impl<C> HttpClient for Transport<C>
where
    C: Connect + Clone + Send + Sync + 'static,
{
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        // Leaves out the query, which can have a secret.
        let mut place = request.url().clone();
        place.set_query(None);

        let response = self.client.request(convert(request)?).await;
        let response = response.map_err(|error| {
            let causes = iter::successors(error.source(), |error| (*error).source());
            let causes: Vec<_> = causes.map(ToString::to_string).collect();
            failed(format!("{place} cannot be reached: {}", causes.join(": ")))
        })?;

        let (head, body) = response.into_parts();
        if is_retried(head.status) {
            return Err(failed(format!("{place} answered {}", head.status)));
        }
        let body = Limited::new(body, MAX_BYTES).collect().await;
        let body = body.map_err(|error| failed(format!("{place} broke off: {error}")))?;
        let body = body.to_bytes();
        if !head.status.is_success()
            && let Some(explanation) = explanation(&body)
        {
            let status = head.status;
            return Err(failed(format!("{place} answered {status}: {explanation}")));
        }
        let status = head.status.as_u16().into();
        let headers = text_of(&head.headers);
        Ok(AsyncRawResponse::from_bytes(status, headers, body))
    }
}

impl<C> fmt::Debug for Transport<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport").finish_non_exhaustive()
    }
}

fn convert(request: &Request) -> azure_core::Result<http::Request<Full<Bytes>>> {
    let Body::Bytes(body) = request.body() else {
        return Err(failed("a streamed body".to_owned()));
    };
    let method = request.method();
    let method = Method::from_bytes(method.as_ref().as_bytes());
    let mut converted = http::Request::builder()
        .method(method.map_err(|error| failed(error.to_string()))?)
        .uri(request.url().as_str());
    for (name, value) in request.headers().iter() {
        converted = converted.header(name.as_str(), value.as_str());
    }
    let converted = converted.body(Full::new(body.clone()));
    converted.map_err(|error| failed(error.to_string()))
}

fn text_of(headers: &HeaderMap) -> Headers {
    let mut converted = Headers::new();
    for (name, value) in headers {
        if let Ok(value) = value.to_str() {
            converted.insert(name.as_str().to_owned(), value.to_owned());
        }
    }
    converted
}

/// Returns the `error_description` of an error response (RFC 6749 section 5.2). `azure_identity` 1.0.0 reads it only if it has
/// no escaped characters.
fn explanation(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Refusal {
        error_description: String,
    }
    let refusal = serde_json::from_slice::<Refusal>(body).ok()?;
    Some(refusal.error_description)
}

/// Returns an error of a kind that the crate does not retry. Its credential for virtual machines retries other errors for
/// longer than the gateway waits, and the reason would be lost.
fn failed(reason: String) -> azure_core::Error {
    azure_core::Error::with_message(ErrorKind::Other, reason)
}

/// Returns true for statuses that the crate would retry. Their bodies have no explanation.
fn is_retried(status: StatusCode) -> bool {
    let client = [
        StatusCode::NOT_FOUND,
        StatusCode::REQUEST_TIMEOUT,
        StatusCode::GONE,
        StatusCode::TOO_MANY_REQUESTS,
    ];
    status.is_server_error() || client.contains(&status)
}

/// Greatest size of a response, in bytes. Tokens have a few thousand.
const MAX_BYTES: usize = 1 << 20;
