//! The whole stack on one screen.

use std::{convert::Infallible, fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response, request::Parts};
use http_body::Body;
use hyper_util::client::legacy::connect::Connect;
use spillover_core::{Backend, Class, Exhausted, Pool, Selected, StatusClassifier};
use tower::{BoxError, Service, ServiceBuilder, retry::budget::TpsBudget};
use tower_spillover::{
    select::{ThreadDraw, WhenExhausted},
    stack::{SpilloverBody, SpilloverLayer},
};

use crate::{
    access_log::AccessLogLayer,
    client::client,
    dialect::{self, Dialect, ErrorKind, GatewayError},
    front::Front,
    hop_by_hop,
    model_scope::ModelScopeLayer,
    upstream::{Upstream, UpstreamBody},
};

/// What the stack is set up with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The backends.
    pub pool: Pool,
    /// How long an attempt may take to its response head.
    pub http_timeout: Duration,
    /// What becomes of a request that finds every backend throttled.
    pub when_exhausted: WhenExhausted,
    /// Whether responses name the URL of their backend.
    pub expose_backend_url: bool,
}

/// The gateway.
///
/// Each thread may have a service of its own: they share what is known of the backends, and no connection.
#[derive(Clone)]
pub struct App {
    layer: SpilloverLayer<StatusClassifier, ThreadDraw, AllClosed>,
    names: Names,
    http_timeout: Duration,
}

impl App {
    /// Sets it up.
    pub fn new(settings: Settings) -> Self {
        let when_exhausted = settings.when_exhausted;
        Self {
            names: Names::new(&settings.pool, settings.expose_backend_url),
            layer: SpilloverLayer::new(settings.pool)
                .retry(|retry| retry.sdk_retry_budget(TpsBudget::default()))
                .select(|select| {
                    let select = select.when_exhausted(when_exhausted);
                    select.with_exhausted_response(all_closed as AllClosed)
                }),
            http_timeout: settings.http_timeout,
        }
    }

    /// The gateway as a service, over connections that `connector` makes. It needs the runtime that it is made in.
    pub fn over<C, B>(
        &self,
        connector: C,
    ) -> impl Service<
        Request<B>,
        Response = Response<impl Body<Data = Bytes, Error: Into<BoxError>> + Send + use<C, B>>,
        Error = Infallible,
        Future: Send,
    > + Clone
    + Send
    + Sync
    + use<C, B>
    where
        C: Connect + Clone + Send + Sync + 'static,
        B: Body<Data = Bytes, Error: Into<BoxError>> + Send + Unpin + 'static,
    {
        let names = self.names.clone();
        let proxy = ServiceBuilder::new()
            .layer(AccessLogLayer::new())
            .map_request(hop_by_hop::strip_request)
            .map_response(move |response| {
                names.add(hop_by_hop::strip_response(dialect::render(response)))
            })
            .layer(ModelScopeLayer)
            .layer(self.layer.clone())
            .service(Upstream::new(client(connector), self.http_timeout));
        Front::new(proxy)
    }
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App").finish_non_exhaustive()
    }
}

type AllClosed = fn(&Exhausted, &Parts) -> Response<SpilloverBody<UpstreamBody>>;

/// What responses say of the backend that gave them, by its index: made once, and shared by all of them.
#[derive(Clone)]
struct Names {
    of_backends: Arc<[Name]>,
}

struct Name {
    label: Option<HeaderValue>,
    url: Option<HeaderValue>,
}

impl Names {
    fn new(pool: &Pool, expose_url: bool) -> Self {
        let name = |backend: &Backend| Name {
            label: HeaderValue::from_str(backend.label()).ok(),
            url: HeaderValue::from_str(backend.url())
                .ok()
                .filter(|_| expose_url),
        };
        Self {
            of_backends: pool.backends().map(name).collect(),
        }
    }

    fn add<B>(&self, mut response: Response<B>) -> Response<B> {
        let selected = response.extensions().get::<Selected>();
        let Some(name) = selected.and_then(|selected| self.of_backends.get(selected.index()))
        else {
            return response;
        };
        let headers = response.headers_mut();
        for (field, value) in [
            (X_SPILLOVER_BACKEND, &name.label),
            (X_OPENAI_BACKENDURL, &name.url),
        ] {
            if let Some(value) = value {
                headers.insert(field, value.clone());
            }
        }
        response
    }
}

/// Says to a client what keeps the backend closed that opens first, in the words of that backend.
fn all_closed(exhausted: &Exhausted, request: &Parts) -> Response<SpilloverBody<UpstreamBody>> {
    let cause = exhausted.cause();
    let is_quota = cause.is_some_and(|cause| cause.class() == Class::Quota);
    let (kind, what) = if is_quota {
        (ErrorKind::Quota, "The quota of every backend is used up.")
    } else if cause.is_none() {
        (ErrorKind::RateLimit, "Every backend is busy.")
    } else {
        (ErrorKind::RateLimit, "Every backend is at its rate limit.")
    };
    let wait = exhausted.reopens_in();
    let seconds = wait.as_secs_f64().ceil().max(1.0);
    let mut message = format!("{what} Please retry after {seconds} seconds.");
    if let Some(said) = cause.and_then(|cause| cause.message()) {
        message.push_str(" The backend said: ");
        message.push_str(said);
    }

    let dialect = Dialect::of(&request.uri, &request.headers);
    dialect.response(&GatewayError { kind, message })
}

const X_SPILLOVER_BACKEND: HeaderName = HeaderName::from_static("x-spillover-backend");
const X_OPENAI_BACKENDURL: HeaderName = HeaderName::from_static("x-openai-backendurl");
