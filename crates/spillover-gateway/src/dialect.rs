//! Responses of the gateway's own, in the format that the client reads.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, Uri, header::CONTENT_TYPE};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde_json::json;

/// Whose error format a client reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// OpenAI and Azure OpenAI, and everybody who copies them.
    OpenAi,
    /// Anthropic's Messages API.
    Anthropic,
    Grpc,
}

/// An error, before it is put into words for one of them.
#[derive(Clone, Debug)]
pub(crate) struct GatewayError {
    pub(crate) kind: ErrorKind,
    pub(crate) message: String,
}

impl GatewayError {
    /// The client went away, or broke off.
    pub(crate) fn incomplete_request() -> Self {
        Self {
            kind: ErrorKind::BadRequest,
            message: "The request body ended before it was complete.".into(),
        }
    }

    /// The client was waited for so long.
    pub(crate) fn slow_request(after: Duration) -> Self {
        let seconds = after.as_secs_f64();
        Self {
            kind: ErrorKind::SlowRequest,
            message: format!("The request body was not complete after {seconds} s."),
        }
    }

    /// Returns a response of its status, for the layers inside. [`Dialect::render`] gives it a body when it is the last one.
    pub(crate) fn into_response<B: From<Bytes>>(self) -> Response<B> {
        let mut response = Response::new(Bytes::new().into());
        *response.status_mut() = self.kind.status();
        response.extensions_mut().insert(Unrendered(self));
        response
    }
}

#[derive(Clone)]
struct Unrendered(GatewayError);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ErrorKind {
    RateLimit,
    Quota,
    /// A backend does not accept the gateway's own credential.
    Credential,
    Unavailable,
    /// The gateway itself.
    Overloaded,
    Timeout,
    BadRequest,
    SlowRequest,
    /// Says a thing twice.
    Ambiguous,
    TooLarge,
    /// A body that cannot be read, and has to be.
    Unsupported,
    /// A body that is not in the coding that its head names.
    BadCoding,
    NoPool,
    MethodNotAllowed,
    /// No key, or one that is not known.
    Unauthorized,
    /// A key that does not open what was asked for.
    Forbidden,
}

impl Dialect {
    /// The dialect of a request.
    pub(crate) fn of(uri: &Uri, headers: &HeaderMap) -> Self {
        let is_grpc = |value: &HeaderValue| value.as_bytes().starts_with(b"application/grpc");
        if headers.get(CONTENT_TYPE).is_some_and(is_grpc) {
            return Self::Grpc;
        }
        let is_messages = uri.path().contains("/v1/messages");
        if is_messages || headers.contains_key("anthropic-version") {
            return Self::Anthropic;
        }
        Self::OpenAi
    }

    /// Gives a body to an error of the gateway's own that a layer inside left; other responses pass.
    pub(crate) fn render<B: From<Bytes>>(self, mut response: Response<B>) -> Response<B> {
        let Some(Unrendered(error)) = response.extensions_mut().remove() else {
            return response;
        };
        let (head, _) = response.into_parts();
        let mut rendered = self.response(&error);
        rendered.headers_mut().extend(head.headers);
        *rendered.extensions_mut() = head.extensions;
        rendered
    }

    /// The response that says so.
    pub(crate) fn response<B: From<Bytes>>(self, error: &GatewayError) -> Response<B> {
        let GatewayError { kind, message } = error;
        match self {
            Self::OpenAi => {
                let (kind_name, code) = kind.openai();
                let error = json!({
                    "message": message, "type": kind_name, "param": null, "code": code,
                });
                json_response(kind.status(), &json!({ "error": error }))
            }
            Self::Anthropic => {
                let error = json!({ "type": kind.anthropic(), "message": message });
                json_response(kind.status(), &json!({ "type": "error", "error": error }))
            }
            Self::Grpc => grpc_response(kind.grpc(), message),
        }
    }
}

impl ErrorKind {
    fn status(self) -> StatusCode {
        match self {
            Self::RateLimit | Self::Quota => StatusCode::TOO_MANY_REQUESTS,
            Self::Credential | Self::Unavailable => StatusCode::BAD_GATEWAY,
            Self::Overloaded => StatusCode::SERVICE_UNAVAILABLE,
            Self::Timeout => StatusCode::GATEWAY_TIMEOUT,
            Self::BadRequest | Self::Ambiguous | Self::BadCoding => StatusCode::BAD_REQUEST,
            Self::SlowRequest => StatusCode::REQUEST_TIMEOUT,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Unsupported => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::NoPool => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
        }
    }

    /// `type` and `code` (<https://platform.openai.com/docs/guides/error-codes>).
    fn openai(self) -> (&'static str, &'static str) {
        match self {
            Self::RateLimit => ("rate_limit_exceeded", "rate_limit_exceeded"),
            Self::Quota => ("insufficient_quota", "insufficient_quota"),
            Self::Credential => ("server_error", "upstream_credential"),
            Self::Unavailable => ("server_error", "bad_gateway"),
            Self::Overloaded => ("server_error", "service_unavailable"),
            Self::Timeout => ("server_error", "gateway_timeout"),
            Self::BadRequest => ("invalid_request_error", "incomplete_request"),
            Self::SlowRequest => ("invalid_request_error", "request_timeout"),
            Self::Ambiguous => ("invalid_request_error", "duplicate_field"),
            Self::TooLarge => ("invalid_request_error", "request_too_large"),
            Self::Unsupported => ("invalid_request_error", "unsupported_media_type"),
            Self::BadCoding => ("invalid_request_error", "invalid_content_encoding"),
            Self::NoPool => ("invalid_request_error", "not_found"),
            Self::MethodNotAllowed => ("invalid_request_error", "method_not_allowed"),
            Self::Unauthorized => ("invalid_request_error", "invalid_api_key"),
            Self::Forbidden => ("invalid_request_error", "insufficient_permissions"),
        }
    }

    /// `type` (<https://docs.anthropic.com/en/api/errors>).
    fn anthropic(self) -> &'static str {
        match self {
            Self::RateLimit => "rate_limit_error",
            Self::Quota => "billing_error",
            Self::Credential | Self::Unavailable => "api_error",
            Self::Overloaded => "overloaded_error",
            Self::Timeout => "timeout_error",
            Self::TooLarge => "request_too_large",
            Self::NoPool => "not_found_error",
            Self::BadRequest
            | Self::SlowRequest
            | Self::Ambiguous
            | Self::Unsupported
            | Self::BadCoding
            | Self::MethodNotAllowed => "invalid_request_error",
            Self::Unauthorized => "authentication_error",
            Self::Forbidden => "permission_error",
        }
    }

    /// `grpc-status` (<https://grpc.io/docs/guides/status-codes/>).
    fn grpc(self) -> u16 {
        match self {
            Self::RateLimit | Self::Quota | Self::TooLarge => 8,
            Self::Credential | Self::Unavailable | Self::Overloaded => 14,
            Self::Timeout => 4,
            Self::BadRequest | Self::SlowRequest | Self::Ambiguous | Self::BadCoding => 3,
            Self::NoPool | Self::MethodNotAllowed | Self::Unsupported => 12,
            Self::Unauthorized => 16,
            Self::Forbidden => 7,
        }
    }
}

fn json_response<B: From<Bytes>>(status: StatusCode, body: &serde_json::Value) -> Response<B> {
    let mut response = Response::new(Bytes::from(body.to_string()).into());
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}

/// A response of trailers only, which stand in the place of the head
/// (<https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>).
fn grpc_response<B: From<Bytes>>(status: u16, message: &str) -> Response<B> {
    let mut response = Response::new(Bytes::new().into());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert(GRPC_STATUS, HeaderValue::from(status));
    let encoded = utf8_percent_encode(message, GRPC_MESSAGE_ESCAPES).to_string();
    if let Ok(encoded) = HeaderValue::try_from(encoded) {
        headers.insert(GRPC_MESSAGE, encoded);
    }
    response
}

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");

/// Everything but visible ASCII and space, and the escape itself.
const GRPC_MESSAGE_ESCAPES: &AsciiSet = &CONTROLS.add(b'%');

#[cfg(test)]
mod tests {
    use http_body_util::{BodyExt, Full};

    use super::*;

    fn dialect(path: &str, fields: &[(&'static str, &'static str)]) -> Dialect {
        let fields = fields.iter().copied();
        let headers = fields
            .map(|(name, value)| {
                let name = HeaderName::from_static(name);
                (name, HeaderValue::from_static(value))
            })
            .collect();
        Dialect::of(&path.parse().unwrap(), &headers)
    }

    #[test]
    fn path_and_fields_tell_the_dialect() {
        let openai = "/openai/deployments/d/chat/completions";
        assert_eq!(dialect(openai, &[]), Dialect::OpenAi);
        assert_eq!(dialect("/v1/messages", &[]), Dialect::Anthropic);
        assert_eq!(
            dialect("/anthropic/v1/messages?beta=1", &[]),
            Dialect::Anthropic
        );
        let version = [("anthropic-version", "2023-06-01")];
        assert_eq!(dialect("/v1/complete", &version), Dialect::Anthropic);
        let grpc = [("content-type", "application/grpc+proto")];
        assert_eq!(dialect("/pkg.Service/Method", &grpc), Dialect::Grpc);
    }

    #[tokio::test]
    async fn each_dialect_has_its_words() {
        let error = GatewayError {
            kind: ErrorKind::RateLimit,
            message: "100 % \"full\"\n".into(),
        };
        let body = |dialect: Dialect| {
            let response: Response<Full<Bytes>> = dialect.response(&error);
            assert_eq!(response.status(), 429);
            async {
                let body = response.into_body().collect().await.unwrap().to_bytes();
                serde_json::from_slice::<serde_json::Value>(&body).unwrap()
            }
        };
        let openai = body(Dialect::OpenAi).await;
        assert_eq!(openai["error"]["message"], "100 % \"full\"\n");
        assert_eq!(openai["error"]["code"], "rate_limit_exceeded");
        let anthropic = body(Dialect::Anthropic).await;
        assert_eq!(anthropic["type"], "error");
        assert_eq!(anthropic["error"]["type"], "rate_limit_error");

        let grpc: Response<Full<Bytes>> = Dialect::Grpc.response(&error);
        assert_eq!(grpc.status(), 200);
        assert_eq!(grpc.headers()["grpc-status"], "8");
        assert_eq!(grpc.headers()["grpc-message"], "100 %25 \"full\"%0A");
    }
    #[test]
    fn each_kind_has_its_status_and_words_in_each_dialect() {
        for (kind, status, anthropic, grpc) in [
            (ErrorKind::Unauthorized, 401, "authentication_error", 16),
            (ErrorKind::Forbidden, 403, "permission_error", 7),
            (ErrorKind::Unsupported, 415, "invalid_request_error", 12),
            (ErrorKind::BadCoding, 400, "invalid_request_error", 3),
        ] {
            assert_eq!(kind.status(), status);
            assert_eq!(kind.anthropic(), anthropic);
            assert_eq!(kind.grpc(), grpc);
        }
        assert_eq!(ErrorKind::Unauthorized.openai().1, "invalid_api_key");
    }
}
