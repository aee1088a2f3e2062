//! Error responses in the format of the client's API.
//!
//! | API | recognized by | body |
//! |---|---|---|
//! | OpenAI, Azure OpenAI | everything else | `{"error": {"message", "type", "param", "code"}}` |
//! | Anthropic | `/v1/messages` in the path, or `anthropic-version` | `{"type": "error", "error": {"type", "message"}}` |
//! | Gemini, Vertex AI | `/v1beta/` at the beginning of the path, `/publishers/` in it, or `x-goog-api-key` | `{"error": {"code", "message", "status"}}` |
//! | Bedrock | `/model/` at the beginning of the path, or `amz-sdk-request` | `{"message"}`, and `x-amzn-errortype` in the head |
//! | gRPC | `content-type: application/grpc` | none; `grpc-status` and `grpc-message` in the head |
//!
//! ```
//! use bytes::Bytes;
//! use http::Request;
//! use http_body_util::Full;
//! use spillover_proxy::error::{ErrorFormat, ErrorKind, ProxyError};
//!
//! let error = ProxyError {
//!     kind: ErrorKind::RateLimit,
//!     message: "Please retry after 2 seconds.".into(),
//! };
//! let request = Request::post("/v1/messages").body(()).unwrap();
//! let format = ErrorFormat::of_request(request.uri(), request.headers());
//! assert_eq!(format, ErrorFormat::Anthropic);
//! let response: http::Response<Full<Bytes>> = format.response(&error);
//! assert_eq!(response.status(), 429);
//! ```

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, Uri, header::CONTENT_TYPE};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde_json::json;

/// Error format of an API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorFormat {
    /// OpenAI, Azure OpenAI, and compatible APIs.
    OpenAi,
    /// Anthropic's Messages API.
    Anthropic,
    /// Gemini and Vertex AI.
    Google,
    /// Bedrock.
    Aws,
    /// gRPC.
    Grpc,
}

/// An error of the proxy, independent of the format.
#[derive(Clone, Debug)]
pub struct ProxyError {
    /// Kind of the error, which decides status and codes.
    pub kind: ErrorKind,
    /// Message for the client. Must not hold secrets.
    pub message: String,
}

impl ProxyError {
    /// Creates the error for a request body that ended too early.
    pub fn incomplete_request() -> Self {
        Self {
            kind: ErrorKind::BadRequest,
            message: "The request body ended before it was complete.".into(),
        }
    }

    /// Creates the error for a request body that was not complete in time.
    pub fn slow_request(after: Duration) -> Self {
        let seconds = after.as_secs_f64();
        Self {
            kind: ErrorKind::SlowRequest,
            message: format!("The request body was not complete after {seconds} s."),
        }
    }

    /// Returns a response with the status of the error and no body. [`ErrorFormat::render`] writes the body when the response
    /// is the final one.
    #[must_use]
    pub fn into_response<B: From<Bytes>>(self) -> Response<B> {
        let mut response = Response::new(Bytes::new().into());
        *response.status_mut() = self.kind.status();
        response.extensions_mut().insert(Unrendered(self));
        response
    }
}

#[derive(Clone)]
struct Unrendered(ProxyError);

/// Kind of a [`ProxyError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// 429: a rate limit is reached.
    RateLimit,
    /// 429: a quota or budget is used up.
    Quota,
    /// 502: a backend does not accept the credential of the proxy.
    Credential,
    /// 502: no backend could be reached.
    Unavailable,
    /// 500: the proxy has a fault of its own.
    Internal,
    /// 503: the proxy itself is at a limit.
    Overloaded,
    /// 504: a backend did not answer in time.
    Timeout,
    /// 400: the request is invalid.
    BadRequest,
    /// 408: the client did not send its request in time.
    SlowRequest,
    /// 400: the request can be read in two ways.
    Ambiguous,
    /// 413: the request body is too large.
    TooLarge,
    /// 415: the proxy has to read the body and cannot.
    Unsupported,
    /// 400: the body is not in the coding of its `content-encoding`.
    BadCoding,
    /// 404: no pool takes the request.
    NoPool,
    /// 405: the method is refused.
    MethodNotAllowed,
    /// 401: the request has no key, or an unknown one.
    Unauthorized,
    /// 403: the key does not permit the request.
    Forbidden,
}

impl ErrorFormat {
    /// Returns the format of a request.
    pub fn of_request(uri: &Uri, headers: &HeaderMap) -> Self {
        let is_grpc = |value: &HeaderValue| value.as_bytes().starts_with(b"application/grpc");
        if headers.get(CONTENT_TYPE).is_some_and(is_grpc) {
            return Self::Grpc;
        }
        let path = uri.path();
        if path.contains("/v1/messages") {
            return Self::Anthropic;
        }
        // One pass costs less than to look up each.
        let by_field = headers.keys().find_map(|name| match name.as_str() {
            "anthropic-version" => Some(Self::Anthropic),
            "amz-sdk-request" => Some(Self::Aws),
            "x-goog-api-key" => Some(Self::Google),
            _ => None,
        });
        match by_field {
            Some(format) => format,
            None if path.starts_with("/model/") => Self::Aws,
            None if path.starts_with("/v1beta/") || path.contains("/publishers/") => Self::Google,
            None => Self::OpenAi,
        }
    }

    /// Writes the body of an error that an inner layer has left by [`ProxyError::into_response`]. Other responses pass
    /// unchanged.
    pub fn render<B: From<Bytes>>(self, mut response: Response<B>) -> Response<B> {
        let Some(Unrendered(error)) = response.extensions_mut().remove() else {
            return response;
        };
        let (head, _) = response.into_parts();
        let mut rendered = self.response(&error);
        rendered.headers_mut().extend(head.headers);
        *rendered.extensions_mut() = head.extensions;
        rendered
    }

    /// Returns the response for an error.
    pub fn response<B: From<Bytes>>(self, error: &ProxyError) -> Response<B> {
        let ProxyError { kind, message } = error;
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
            Self::Google => {
                let status = kind.status();
                let error = json!({
                    "code": status.as_u16(), "message": message, "status": kind.google(),
                });
                json_response(status, &json!({ "error": error }))
            }
            Self::Aws => {
                let mut response = json_response(kind.status(), &json!({ "message": message }));
                let error_type = HeaderValue::from_static(kind.aws());
                response.headers_mut().insert(X_AMZN_ERRORTYPE, error_type);
                response
            }
            Self::Grpc => grpc_response(kind.grpc(), message),
        }
    }
}

impl ErrorKind {
    /// Returns the HTTP status of the error.
    #[must_use]
    pub fn status(self) -> StatusCode {
        match self {
            Self::RateLimit | Self::Quota => StatusCode::TOO_MANY_REQUESTS,
            Self::Credential | Self::Unavailable => StatusCode::BAD_GATEWAY,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
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

    /// Returns `type` and `code` (<https://platform.openai.com/docs/guides/error-codes>).
    fn openai(self) -> (&'static str, &'static str) {
        match self {
            Self::RateLimit => ("rate_limit_exceeded", "rate_limit_exceeded"),
            Self::Quota => ("insufficient_quota", "insufficient_quota"),
            Self::Credential => ("server_error", "upstream_credential"),
            Self::Unavailable => ("server_error", "bad_gateway"),
            Self::Internal => ("server_error", "internal_error"),
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

    /// Returns `type` (<https://docs.anthropic.com/en/api/errors>).
    fn anthropic(self) -> &'static str {
        match self {
            Self::RateLimit => "rate_limit_error",
            Self::Quota => "billing_error",
            Self::Credential | Self::Unavailable | Self::Internal => "api_error",
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

    /// Returns `status` (<https://cloud.google.com/apis/design/errors#handling_errors>).
    fn google(self) -> &'static str {
        match self {
            Self::RateLimit | Self::Quota => "RESOURCE_EXHAUSTED",
            Self::Credential | Self::Unavailable | Self::Overloaded => "UNAVAILABLE",
            Self::Internal => "INTERNAL",
            Self::Timeout => "DEADLINE_EXCEEDED",
            Self::BadRequest
            | Self::SlowRequest
            | Self::Ambiguous
            | Self::TooLarge
            | Self::Unsupported
            | Self::BadCoding => "INVALID_ARGUMENT",
            Self::NoPool => "NOT_FOUND",
            Self::MethodNotAllowed => "UNIMPLEMENTED",
            Self::Unauthorized => "UNAUTHENTICATED",
            Self::Forbidden => "PERMISSION_DENIED",
        }
    }

    /// Returns `x-amzn-errortype` (<https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html>).
    fn aws(self) -> &'static str {
        match self {
            Self::RateLimit => "ThrottlingException",
            Self::Quota => "ServiceQuotaExceededException",
            Self::Credential | Self::Unavailable | Self::Overloaded => {
                "ServiceUnavailableException"
            }
            Self::Internal => "InternalServerException",
            Self::Timeout => "ModelTimeoutException",
            Self::BadRequest
            | Self::SlowRequest
            | Self::Ambiguous
            | Self::TooLarge
            | Self::Unsupported
            | Self::BadCoding
            | Self::MethodNotAllowed => "ValidationException",
            Self::NoPool => "ResourceNotFoundException",
            Self::Unauthorized => "UnrecognizedClientException",
            Self::Forbidden => "AccessDeniedException",
        }
    }

    /// Returns `grpc-status` (<https://grpc.io/docs/guides/status-codes/>).
    fn grpc(self) -> u16 {
        match self {
            Self::RateLimit | Self::Quota | Self::TooLarge => 8,
            Self::Credential | Self::Unavailable | Self::Overloaded => 14,
            Self::Timeout => 4,
            Self::Internal => 13,
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

/// Returns a trailers-only response, whose status is in the head
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

const X_AMZN_ERRORTYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");
const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");

/// Characters that `grpc-message` escapes: all but visible ASCII and space, and the escape character.
const GRPC_MESSAGE_ESCAPES: &AsciiSet = &CONTROLS.add(b'%');

#[cfg(test)]
mod tests {
    use http_body_util::{BodyExt, Full};

    use super::*;

    fn format(path: &str, fields: &[(&'static str, &'static str)]) -> ErrorFormat {
        let fields = fields.iter().copied();
        let headers = fields
            .map(|(name, value)| {
                let name = HeaderName::from_static(name);
                (name, HeaderValue::from_static(value))
            })
            .collect();
        ErrorFormat::of_request(&path.parse().unwrap(), &headers)
    }

    #[test]
    fn path_and_fields_select_the_format() {
        let openai = "/openai/deployments/d/chat/completions";
        assert_eq!(format(openai, &[]), ErrorFormat::OpenAi);
        assert_eq!(format("/v1/messages", &[]), ErrorFormat::Anthropic);
        assert_eq!(
            format("/anthropic/v1/messages?beta=1", &[]),
            ErrorFormat::Anthropic
        );
        let version = [("anthropic-version", "2023-06-01")];
        assert_eq!(format("/v1/complete", &version), ErrorFormat::Anthropic);
        for path in [
            "/v1beta/models/gemini-a:generateContent",
            "/v1/projects/p/locations/l/publishers/google/models/m:predict",
        ] {
            assert_eq!(format(path, &[]), ErrorFormat::Google, "{path}");
        }
        let key = [("x-goog-api-key", "k")];
        assert_eq!(format("/upload/v1beta/files", &key), ErrorFormat::Google);
        assert_eq!(format("/model/nova/converse", &[]), ErrorFormat::Aws);
        let sdk = [("amz-sdk-request", "attempt=1; max=3")];
        assert_eq!(format("/guardrail/g/apply", &sdk), ErrorFormat::Aws);
        let grpc = [("content-type", "application/grpc+proto")];
        assert_eq!(format("/pkg.Service/Method", &grpc), ErrorFormat::Grpc);
    }

    #[tokio::test]
    async fn each_format_has_its_body() {
        let error = ProxyError {
            kind: ErrorKind::RateLimit,
            message: "100 % \"full\"\n".into(),
        };
        let body = |format: ErrorFormat| {
            let response: Response<Full<Bytes>> = format.response(&error);
            assert_eq!(response.status(), 429);
            async {
                let body = response.into_body().collect().await.unwrap().to_bytes();
                serde_json::from_slice::<serde_json::Value>(&body).unwrap()
            }
        };
        let openai = body(ErrorFormat::OpenAi).await;
        assert_eq!(openai["error"]["message"], "100 % \"full\"\n");
        assert_eq!(openai["error"]["code"], "rate_limit_exceeded");
        let anthropic = body(ErrorFormat::Anthropic).await;
        assert_eq!(anthropic["type"], "error");
        assert_eq!(anthropic["error"]["type"], "rate_limit_error");

        let google = body(ErrorFormat::Google).await;
        assert_eq!(google["error"]["code"], 429);
        assert_eq!(google["error"]["status"], "RESOURCE_EXHAUSTED");
        let aws = body(ErrorFormat::Aws).await;
        assert_eq!(aws["message"], "100 % \"full\"\n");
        let aws: Response<Full<Bytes>> = ErrorFormat::Aws.response(&error);
        assert_eq!(aws.headers()["x-amzn-errortype"], "ThrottlingException");

        let grpc: Response<Full<Bytes>> = ErrorFormat::Grpc.response(&error);
        assert_eq!(grpc.status(), 200);
        assert_eq!(grpc.headers()["grpc-status"], "8");
        assert_eq!(grpc.headers()["grpc-message"], "100 %25 \"full\"%0A");
    }

    #[test]
    fn each_kind_has_its_codes_in_each_format() {
        for (kind, status, anthropic, grpc) in [
            (ErrorKind::Unauthorized, 401, "authentication_error", 16),
            (ErrorKind::Forbidden, 403, "permission_error", 7),
            (ErrorKind::Unsupported, 415, "invalid_request_error", 12),
            (ErrorKind::BadCoding, 400, "invalid_request_error", 3),
            (ErrorKind::Internal, 500, "api_error", 13),
        ] {
            assert_eq!(kind.status(), status);
            assert_eq!(kind.anthropic(), anthropic);
            assert_eq!(kind.grpc(), grpc);
        }
        assert_eq!(ErrorKind::Unauthorized.openai().1, "invalid_api_key");
    }
}
