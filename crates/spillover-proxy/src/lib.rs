//! Tower layers for proxies of LLM APIs.
//!
//! Each layer is a feature, works with any Tower service of HTTP requests, and has an example in its module. `full` enables
//! all of them.
//!
//! | feature | layer | |
//! |---|---|---|
//! | `access-log` | [`AccessLogLayer`](access_log::AccessLogLayer) | one log line per request, at the end of its response |
//! | `catch-panic` | [`CatchPanicLayer`](catch_panic::CatchPanicLayer) | status 500 when an inner layer panics |
//! | `client-keys` | [`ClientKeysLayer`](client_keys::ClientKeysLayer) | API keys of clients, each with a rate limit |
//! | `cors` | [`CorsLayer`](cors::CorsLayer) | preflights and CORS fields, without answering other `OPTIONS` requests |
//! | `final-response` | [`FinalResponseLayer`](final_response::FinalResponseLayer) | the error that a client reads when no backend served, and response fields |
//! | `hop-by-hop` | [`HopByHopLayer`](hop_by_hop::HopByHopLayer) | removes the fields of a single connection |
//! | `idle-timeout` | [`IdleTimeoutLayer`](idle_timeout::IdleTimeoutLayer) | ends response bodies that stand still |
//! | `limits` | [`RequestLimitsLayer`](limits::RequestLimitsLayer) | size of the request body, total time of a request |
//! | `request-rules` | [`RequestRulesLayer`](request_rules::RequestRulesLayer) | header rules, token and model of each backend |
//! | `response-urls` | [`ResponseUrlsLayer`](response_urls::ResponseUrlsLayer) | URLs of a backend in response fields become those of the proxy |
//! | `upgrade` | [`UpgradeLayer`](upgrade::UpgradeLayer) | WebSocket connections through the proxy |
//! | `upstream` | [`Upstream`](upstream::Upstream), a service | sends requests to backends: connections, timeout, errors |
//!
//! Refusals of the layers are responses in the format of the client's API; see [`error`].
//!
//! # Order
//!
//! From the outside in: `upgrade`, `access-log`, `catch-panic`, `cors`, `client-keys`, `response-urls`, `hop-by-hop`,
//! `final-response`, `limits`, the layers of `tower-spillover`, `request-rules`, `idle-timeout`,
//! `upstream`.
//!
//! # Extensions
//!
//! | value | set by | read by |
//! |---|---|---|
//! | [`Progress`] on requests | `access-log` | every layer that knows a field of the log line |
//! | [`Client`](client_keys::Client) on requests | `client-keys` | services that select a pool by client |
//! | [`Deadline`](limits::Deadline) on requests | `limits` | `idle-timeout`, and services that limit an attempt |
//! | [`WebSocketRequest`](upgrade::WebSocketRequest) on requests | `upgrade` | `hop-by-hop`, and services that open connections |
//! | [`UpgradedWriter`](upgrade::UpgradedWriter) on responses | the service of an upgraded connection | `upgrade` |

#[cfg(feature = "access-log")]
pub mod access_log;
#[cfg(feature = "catch-panic")]
pub mod catch_panic;
#[cfg(feature = "client-keys")]
pub mod client_keys;
#[cfg(feature = "cors")]
pub mod cors;
pub mod error;
#[cfg(feature = "final-response")]
pub mod final_response;
pub mod future;
#[cfg(any(feature = "final-response", feature = "request-rules"))]
mod header_rules;
#[cfg(feature = "hop-by-hop")]
pub mod hop_by_hop;
#[cfg(feature = "idle-timeout")]
pub mod idle_timeout;
#[cfg(feature = "limits")]
pub mod limits;
#[cfg(feature = "request-rules")]
pub mod model_error;
mod progress;
#[cfg(feature = "request-rules")]
pub mod request_rules;
#[cfg(feature = "response-urls")]
pub mod response_urls;
#[cfg(feature = "upgrade")]
pub mod upgrade;
#[cfg(feature = "upstream")]
pub mod upstream;

#[cfg(any(feature = "access-log", feature = "catch-panic"))]
use http::HeaderName;

#[cfg(any(feature = "final-response", feature = "request-rules"))]
pub use self::header_rules::HeaderRules;
pub use self::progress::Progress;

/// The field with the id of a request, as tower-http's `SetRequestIdLayer` sets it. A backend may send its own in responses.
#[cfg(any(feature = "access-log", feature = "catch-panic"))]
const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
