//! Places of a request in which clients send their keys.

use std::{borrow::Cow, sync::Arc};

use http::{
    HeaderMap, HeaderName, HeaderValue, Request, Uri,
    header::{AUTHORIZATION, SEC_WEBSOCKET_PROTOCOL},
    uri::PathAndQuery,
};
use percent_encoding::percent_decode_str;
use spillover_core::Credential;

use super::{client::Key, key_ring::KeyRing, refusal::Refusal};

/// Removes every key of the ring from a request, since some SDKs send theirs in two fields. The first key decides the client.
/// Other values stay.
pub(super) fn take_keys<B>(request: &mut Request<B>, ring: &KeyRing) -> Result<Arc<Key>, Refusal> {
    let mut search = Search {
        ring,
        found: None,
        is_shown: false,
    };
    for name in &Credential::CLIENT_FIELDS {
        search.in_field(request.headers_mut(), name);
    }
    search.in_subprotocols(request.headers_mut());
    search.in_query(request.uri_mut());
    match search.found {
        Some(key) => Ok(Arc::clone(key)),
        None if search.is_shown => Err(Refusal::UnknownKey),
        None => Err(Refusal::NoKey),
    }
}

struct Search<'a> {
    ring: &'a KeyRing,
    found: Option<&'a Arc<Key>>,
    /// True when the request had a value that could be a key.
    is_shown: bool,
}

impl Search<'_> {
    fn is_key(&mut self, secret: &[u8]) -> bool {
        if secret.is_empty() {
            return false;
        }
        self.is_shown = true;
        let key = self.ring.find(secret);
        self.found = self.found.or(key);
        key.is_some()
    }

    fn in_field(&mut self, headers: &mut HeaderMap, name: &HeaderName) {
        let values = headers.get_all(name);
        let mut is_key = |value| secret(name, value).is_some_and(|secret| self.is_key(secret));
        // Most requests have no value, or a single one that is a key.
        let left: Vec<_> = values.iter().filter(|value| !is_key(value)).collect();
        if left.len() < values.iter().count() {
            let left: Vec<_> = left.into_iter().cloned().collect();
            replace(headers, name, left);
        }
    }

    /// Returns the keys among the subprotocols of a WebSocket. Web pages cannot set its header fields, so OpenAI's SDK
    /// sends the key there (<https://platform.openai.com/docs/guides/realtime-websocket>).
    fn in_subprotocols(&mut self, headers: &mut HeaderMap) {
        let mut is_found = false;
        let mut left = Vec::new();
        for value in headers.get_all(SEC_WEBSOCKET_PROTOCOL) {
            for protocol in value.as_bytes().split(|byte| *byte == b',') {
                let protocol = protocol.trim_ascii();
                let secret = protocol.strip_prefix(SUBPROTOCOL);
                if secret.is_some_and(|secret| self.is_key(secret)) {
                    is_found = true;
                } else {
                    left.push(protocol);
                }
            }
        }
        if is_found {
            let left = left.join(b", ".as_slice());
            let left = HeaderValue::from_bytes(&left).ok();
            let left = left.filter(|value| !value.is_empty());
            replace(headers, &SEC_WEBSOCKET_PROTOCOL, left);
        }
    }

    /// Returns the keys in the query: `key` is Gemini's (<https://ai.google.dev/api>), `api-key` that of Azure OpenAI for a
    /// WebSocket (<https://learn.microsoft.com/azure/ai-foundry/openai/realtime-audio-reference>).
    fn in_query(&mut self, uri: &mut Uri) {
        let Some(query) = uri.query() else { return };
        let mut is_key = |pair: &str| match pair.split_once('=') {
            Some(("key" | "api-key", value)) => self.is_key(&Cow::from(percent_decode_str(value))),
            _ => false,
        };
        // Most queries have no key and are not built again.
        if !query.split('&').any(&mut is_key) {
            return;
        }
        let left: Vec<_> = query.split('&').filter(|pair| !is_key(pair)).collect();
        let (path, left) = (uri.path(), left.join("&"));
        let target = if left.is_empty() {
            path.to_owned()
        } else {
            format!("{path}?{left}")
        };
        // Cannot fail: the parts come from a valid query. The fallback has no key either.
        let target = PathAndQuery::try_from(target);
        let mut parts = uri.clone().into_parts();
        parts.path_and_query = Some(target.unwrap_or(PathAndQuery::from_static("/")));
        *uri = Uri::from_parts(parts).unwrap_or_default();
    }
}

/// Returns the secret in a field.
fn secret<'a>(name: &HeaderName, value: &'a HeaderValue) -> Option<&'a [u8]> {
    let value = value.as_bytes().trim_ascii();
    if name != AUTHORIZATION {
        return Some(value);
    }
    // The scheme is of any case, and one or more spaces follow (RFC 9110 sections 11.1 and 11.4).
    let (scheme, secret) = value.split_at_checked(BEARER.len())?;
    let is_bearer = scheme.eq_ignore_ascii_case(BEARER);
    is_bearer.then(|| secret.trim_ascii_start())
}

fn replace(
    headers: &mut HeaderMap,
    name: &HeaderName,
    values: impl IntoIterator<Item = HeaderValue>,
) {
    headers.remove(name);
    for value in values {
        headers.append(name, value);
    }
}

const BEARER: &[u8] = b"bearer ";

const SUBPROTOCOL: &[u8] = b"openai-insecure-api-key.";
