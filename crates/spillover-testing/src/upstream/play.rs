use std::{future::pending, sync::Arc};

use bytes::Bytes;
use http::{
    HeaderName, HeaderValue, Method, Request, Response,
    header::{CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING},
    request::Parts,
};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::Instant;

use super::{
    api,
    behavior::{Action, Reading},
    chat,
    in_flight::InFlight,
    record::RecordedRequest,
    reply::Reply,
    shared::{Shared, pause},
    wire::{Ending, Wire},
};

/// Answers a request as the next behavior says.
///
/// # Errors
///
/// Fails if the request's body does not arrive.
pub(super) async fn answer(
    shared: Arc<Shared>,
    wire: Arc<Wire>,
    req: Request<Incoming>,
) -> Result<Response<Reply>, hyper::Error> {
    let at = Instant::now();
    let mut in_flight = InFlight::start(Arc::clone(&shared), Arc::clone(&wire));
    let behavior = shared.next_behavior();
    let (parts, body) = req.into_parts();
    let body = read(body, behavior.reading).await?;
    shared.record(RecordedRequest {
        method: parts.method.clone(),
        uri: parts.uri.clone(),
        version: parts.version,
        headers: parts.headers.clone(),
        body: body.clone(),
        at,
    });
    pause(behavior.delay).await;

    let mut response = match behavior.action {
        Action::Api => api::serve(&shared, &parts, &body, &mut in_flight).await,
        Action::Respond(response) => response.map(Reply::full),
        Action::Stall => pending().await,
        Action::Reset => end(&wire, Ending::Reset).await,
        Action::CutHead => end(&wire, Ending::CutHead).await,
        Action::ResetMidBody(bytes) => Response::new(Reply::filler(bytes).then_reset(wire)),
        Action::SlowStream { chunks, every } => chat::slow_stream(chunks, every),
        Action::Echo => echo(&parts, body),
        Action::Large(bytes) => Response::new(Reply::filler(bytes)),
    };

    if let Some(name) = &shared.settings.name {
        response.headers_mut().insert(UPSTREAM, name.clone());
    }
    let status = response.status();
    shared.count(|stats| match status.as_u16() {
        200..300 => stats.served += 1,
        429 => stats.throttled += 1,
        _ => stats.failed += 1,
    });
    Ok(response.map(|reply| {
        // The answer to HEAD has no body to hand over.
        if parts.method == Method::HEAD {
            in_flight.complete();
            reply
        } else {
            reply.guarded_by(in_flight)
        }
    }))
}

async fn read(mut body: Incoming, reading: Reading) -> Result<Bytes, hyper::Error> {
    match reading {
        Reading::First => Ok(body.collect().await?.to_bytes()),
        Reading::Never => Ok(Bytes::new()),
        Reading::Afterwards => {
            tokio::spawn(async move { while let Some(Ok(_)) = body.frame().await {} });
            Ok(Bytes::new())
        }
    }
}

async fn end(wire: &Wire, ending: Ending) -> Response<Reply> {
    wire.end(ending);
    pending().await
}

fn echo(parts: &Parts, body: Bytes) -> Response<Reply> {
    let mut response = Response::new(Reply::full(body));
    let headers = response.headers_mut();
    for (seen, name) in [
        (CONTENT_TYPE, CONTENT_TYPE),
        (CONTENT_LENGTH, ECHO_CONTENT_LENGTH),
        (TRANSFER_ENCODING, ECHO_TRANSFER_ENCODING),
    ] {
        for value in parts.headers.get_all(seen) {
            headers.append(&name, value.clone());
        }
    }
    let target = parts.uri.path_and_query();
    for (name, value) in [
        (ECHO_METHOD, parts.method.as_str()),
        (ECHO_PATH, target.map_or("/", |target| target.as_str())),
        (ECHO_VERSION, &format!("{:?}", parts.version)),
    ] {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    }
    response
}

const UPSTREAM: HeaderName = HeaderName::from_static("x-upstream");
const ECHO_CONTENT_LENGTH: HeaderName = HeaderName::from_static("x-echo-content-length");
const ECHO_METHOD: HeaderName = HeaderName::from_static("x-echo-method");
const ECHO_PATH: HeaderName = HeaderName::from_static("x-echo-path");
const ECHO_TRANSFER_ENCODING: HeaderName = HeaderName::from_static("x-echo-transfer-encoding");
const ECHO_VERSION: HeaderName = HeaderName::from_static("x-echo-version");
