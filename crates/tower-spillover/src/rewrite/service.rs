use std::task::{Context, Poll};

use http::{
    HeaderMap, Request, Uri, Version,
    header::HOST,
    uri::{Parts, PathAndQuery},
};
use spillover_core::{Backend, Credential, Selected};
use tower_service::Service;

use super::{UnsupportedPath, path, subprotocol};

/// Makes requests ones for the selected backend; see the [module](super).
#[derive(Clone, Debug)]
pub struct RewriteRequest<S> {
    inner: S,
}

impl<S> RewriteRequest<S> {
    /// Wraps a service.
    pub fn new(inner: S) -> Self {
        Self { inner }
    }

    inner_service_accessors!();
}

impl<S, ReqBody> Service<Request<ReqBody>> for RewriteRequest<S>
where
    S: Service<Request<ReqBody>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let (mut head, body) = request.into_parts();
        if let Some(selected) = head.extensions.get::<Selected>() {
            let backend = selected.backend();
            let rewritten = path::rewrite(backend, &head.uri);
            head.uri = uri_at(backend, rewritten.path_and_query, &head.uri);
            head.version = version_at(head.version);
            rewrite_headers(backend, &mut head.headers);
            if let Some(model) = rewritten.model {
                head.extensions.insert(model);
            }
            if rewritten.is_unsupported {
                head.extensions.insert(UnsupportedPath);
            }
        }
        self.inner.call(Request::from_parts(head, body))
    }
}

fn uri_at(backend: &Backend, path_and_query: PathAndQuery, original: &Uri) -> Uri {
    let mut parts = Parts::default();
    parts.scheme = Some(backend.scheme().clone());
    parts.authority = Some(backend.authority().clone());
    parts.path_and_query = Some(path_and_query);
    // The three parts are there, and each was parsed: there is nothing left that could be refused.
    Uri::from_parts(parts).unwrap_or_else(|_| original.clone())
}

/// Returns the version for the client's request. hyper refuses HTTP/2 on a connection of HTTP/1.1, and sends HTTP/1.1 over
/// both.
fn version_at(version: Version) -> Version {
    if version > Version::HTTP_11 {
        Version::HTTP_11
    } else {
        version
    }
}

fn rewrite_headers(backend: &Backend, headers: &mut HeaderMap) {
    // The client writes `Host` or `:authority` from the URI.
    headers.remove(HOST);
    if let Some(credential) = backend.credential() {
        remove_client_fields(headers);
        subprotocol::remove_keys(headers);
        if let Some((name, value)) = credential.field() {
            headers.insert(name.clone(), value.clone());
        }
    }
}

/// Removes the fields in one pass. Few of them are there, and looking each up would take longer.
fn remove_client_fields(headers: &mut HeaderMap) {
    let keys = &Credential::CLIENT_FIELDS;
    let accounts = &Credential::ACCOUNT_FIELDS;
    let fields = || keys.iter().chain(accounts).enumerate();
    // A bit for each field.
    let mut present = 0_u16;
    for name in headers.keys() {
        if let Some((index, _)) = fields().find(|(_, field)| *field == name) {
            present |= 1 << index;
        }
    }
    for (index, field) in fields() {
        if present & (1 << index) != 0 {
            headers.remove(field);
        }
    }
}
