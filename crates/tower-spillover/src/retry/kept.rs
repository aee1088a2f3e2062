use http::{Extensions, HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, Version};
use spillover_core::Tried;

use super::ReplayBody;

/// What is kept of a request for another attempt.
pub(super) struct Kept<B> {
    method: Method,
    uri: Uri,
    version: Version,
    pub(super) fields: Fields,
    extensions: Extensions,
    pub(super) body: ReplayBody<B>,
}

/// The fields of a head, as a list: most are never looked at again, and a copy of a map takes longer.
#[derive(Clone)]
pub(super) struct Fields {
    list: Vec<(HeaderName, HeaderValue)>,
}

impl<B> Kept<B> {
    pub(super) fn of(request: &Request<ReplayBody<B>>) -> Self {
        Self {
            method: request.method().clone(),
            uri: request.uri().clone(),
            version: request.version(),
            fields: Fields::of(request.headers()),
            extensions: request.extensions().clone(),
            body: request.body().clone(),
        }
    }

    /// The request as it came, with this in its extensions.
    pub(super) fn into_request(self, tried: Tried) -> Request<ReplayBody<B>> {
        let mut request = Request::new(self.body);
        *request.method_mut() = self.method;
        *request.uri_mut() = self.uri;
        *request.version_mut() = self.version;
        *request.headers_mut() = self.fields.into_map();
        *request.extensions_mut() = self.extensions;
        request.extensions_mut().insert(tried);
        request
    }
}

impl<B> Clone for Kept<B> {
    fn clone(&self) -> Self {
        Self {
            method: self.method.clone(),
            uri: self.uri.clone(),
            version: self.version,
            fields: self.fields.clone(),
            extensions: self.extensions.clone(),
            body: self.body.clone(),
        }
    }
}

impl Fields {
    fn of(map: &HeaderMap) -> Self {
        // Not collected: the iterator knows only the least number of them.
        let mut list = Vec::with_capacity(map.len());
        list.extend(
            map.iter()
                .map(|(name, value)| (name.clone(), value.clone())),
        );
        Self { list }
    }

    fn into_map(self) -> HeaderMap {
        let mut map = HeaderMap::with_capacity(self.list.len());
        for (name, value) in self.list {
            map.append(name, value);
        }
        map
    }

    pub(super) fn get(&self, name: &HeaderName) -> Option<&HeaderValue> {
        let found = self.list.iter().find(|(other, _)| other == name);
        found.map(|(_, value)| value)
    }
}
