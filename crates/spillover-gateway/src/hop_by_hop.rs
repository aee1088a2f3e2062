//! Removes what is meant for one connection only (RFC 9110 section 7.6.1).

use http::{
    HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, Version,
    header::{
        CONNECTION, EXPECT, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRANSFER_ENCODING, UPGRADE,
    },
};

use crate::upgrade::ForWebSocket;

/// Makes a request that came over one connection one that can go over another.
pub(crate) fn strip_request<B>(mut request: Request<B>) -> Request<B> {
    let present = present(request.headers());
    let accepts_trailers = present[1] && accepts_trailers(request.headers());
    remove(request.headers_mut(), present);
    // The server side answered it already: the body is being read.
    request.headers_mut().remove(EXPECT);
    if accepts_trailers {
        // gRPC servers insist on it, and this gateway does forward trailers.
        let trailers = HeaderValue::from_static("trailers");
        request.headers_mut().insert(TE, trailers);
    }
    if request.extensions().get::<ForWebSocket>().is_some() {
        ask_for(HeaderValue::from_static("websocket"), request.headers_mut());
    }
    // The connection to the backend has a version of its own.
    *request.version_mut() = Version::HTTP_11;
    request
}

/// Makes a response that came over one connection one that can go over another.
pub(crate) fn strip_response<B>(mut response: Response<B>) -> Response<B> {
    // The switch that was asked for, or the one that would have been granted (RFC 9110 section 15.5.22).
    let names_protocol = matches!(
        response.status(),
        StatusCode::SWITCHING_PROTOCOLS | StatusCode::UPGRADE_REQUIRED
    );
    let protocol = names_protocol.then(|| response.headers_mut().remove(UPGRADE));
    strip(response.headers_mut());
    if let Some(protocol) = protocol.flatten() {
        ask_for(protocol, response.headers_mut());
    }
    *response.version_mut() = Version::HTTP_11;
    response
}

/// Puts an upgrade in, for the next connection.
fn ask_for(protocol: HeaderValue, headers: &mut HeaderMap) {
    headers.insert(UPGRADE, protocol);
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
}

fn strip(headers: &mut HeaderMap) {
    remove(headers, present(headers));
}

/// Returns which of [`HOP_BY_HOP`] a head has. One look at each of its names takes less than to look for each of these.
fn present(headers: &HeaderMap) -> [bool; COUNT] {
    let mut present = [false; COUNT];
    for name in headers.keys() {
        if let Some(index) = HOP_BY_HOP.iter().position(|field| field == name) {
            present[index] = true;
        }
    }
    present
}

/// Removes the fields that are present, and those that `connection` names.
fn remove(headers: &mut HeaderMap, present: [bool; COUNT]) {
    if present[0] {
        // Mostly there is no other than `keep-alive`, `close` or `upgrade`, which are no fields or removed anyway.
        let is_option = |token: &str| {
            let is = |name: &str| name.eq_ignore_ascii_case(token);
            is("close") || HOP_BY_HOP.iter().any(|name| is(name.as_str()))
        };
        let named = tokens(headers, &CONNECTION).filter(|token| !is_option(token));
        let named: Vec<HeaderName> = named.filter_map(|name| name.parse().ok()).collect();
        for name in &named {
            headers.remove(name);
        }
    }
    for (name, is_present) in HOP_BY_HOP.iter().zip(present) {
        if is_present {
            headers.remove(name);
        }
    }
}

fn accepts_trailers(headers: &HeaderMap) -> bool {
    tokens(headers, &TE).any(|token| token.eq_ignore_ascii_case("trailers"))
}

/// The elements of a field that is a list (RFC 9110 section 5.6.1).
pub(crate) fn tokens<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
) -> impl Iterator<Item = &'a str> {
    headers
        .get_all(name)
        .into_iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
}

const COUNT: usize = 8;

/// The first two are looked into.
const HOP_BY_HOP: [HeaderName; COUNT] = [
    CONNECTION,
    TE,
    HeaderName::from_static("keep-alive"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    // Sent by old clients in place of `connection` (RFC 9112 appendix C.2.2).
    HeaderName::from_static("proxy-connection"),
    TRANSFER_ENCODING,
    UPGRADE,
];

#[cfg(test)]
mod tests {
    use super::*;

    fn stripped(fields: &[(&'static str, &'static str)]) -> Vec<String> {
        let mut request = Request::new(());
        for (name, value) in fields {
            let value = HeaderValue::from_static(value);
            request.headers_mut().append(*name, value);
        }
        let request = strip_request(request);
        let field = |(name, value): (&HeaderName, &HeaderValue)| {
            format!("{name}: {}", value.to_str().unwrap())
        };
        let mut left: Vec<_> = request.headers().iter().map(field).collect();
        left.sort();
        left
    }

    #[test]
    fn fields_of_one_connection_are_removed() {
        let left = stripped(&[
            ("connection", "keep-alive"),
            ("keep-alive", "timeout=5"),
            ("proxy-connection", "keep-alive"),
            ("proxy-authorization", "Basic x"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2c"),
            ("expect", "100-continue"),
            ("content-type", "application/json"),
            ("content-length", "2"),
        ]);
        assert_eq!(
            left,
            ["content-length: 2", "content-type: application/json"]
        );
    }

    #[test]
    fn fields_that_connection_names_are_removed() {
        let left = stripped(&[
            ("connection", "close, X-One ,,\u{9}x-two"),
            ("connection", "x-three, not a name"),
            ("x-one", "1"),
            ("x-two", "2"),
            ("x-two", "2 again"),
            ("x-three", "3"),
            ("x-four", "4"),
        ]);
        assert_eq!(left, ["x-four: 4"]);
    }

    #[test]
    fn an_upgrade_to_a_websocket_is_asked_of_the_backend_too() {
        let mut request = Request::get("/v1/realtime")
            .header("connection", "keep-alive, Upgrade, x-named")
            .header("upgrade", "WebSocket, h2c")
            .header("x-named", "1")
            .header("sec-websocket-version", "13")
            .body(())
            .unwrap();
        request.extensions_mut().insert(ForWebSocket);
        let request = strip_request(request);
        assert_eq!(request.headers()["connection"], "upgrade");
        assert_eq!(request.headers()["upgrade"], "websocket");
        assert_eq!(request.headers()["sec-websocket-version"], "13");
        assert!(!request.headers().contains_key("x-named"));
    }

    #[test]
    fn only_answers_about_an_upgrade_name_a_protocol() {
        for (status, passes) in [(101, true), (426, true), (200, false)] {
            let response = Response::builder()
                .status(status)
                .header("connection", "Upgrade")
                .header("upgrade", "websocket")
                .body(())
                .unwrap();
            let response = strip_response(response);
            assert_eq!(response.headers().contains_key("upgrade"), passes);
            assert_eq!(response.headers().contains_key("connection"), passes);
        }
    }

    #[test]
    fn te_is_kept_for_trailers_only() {
        assert_eq!(stripped(&[("te", "gzip, Trailers")]), ["te: trailers"]);
        assert!(stripped(&[("te", "gzip")]).is_empty());
    }

    #[test]
    fn responses_are_stripped_too_and_lose_the_version_of_the_backend() {
        let mut response = Response::new(());
        *response.version_mut() = Version::HTTP_2;
        for (name, value) in [("connection", "x-a"), ("x-a", "1"), ("x-b", "2")] {
            let value = HeaderValue::from_static(value);
            response.headers_mut().insert(name, value);
        }
        let response = strip_response(response);
        assert_eq!(response.headers().len(), 1);
        assert_eq!(response.headers()["x-b"], "2");
        assert_eq!(response.version(), Version::HTTP_11);
    }
}
