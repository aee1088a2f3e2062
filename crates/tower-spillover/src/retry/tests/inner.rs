//! Inner services that answer by a script, and functions that send requests.

use http::{Extensions, Request, Response};
use http_body_util::BodyExt;
use spillover_core::{Attempts, layer::AttemptsProtocol};
use spillover_testing::Probe;
use tower::ServiceExt;
use tower_service::Service;

use super::*;

pub(super) type Inner = Probe<ReplayBody<ScriptedBody>, usize, &'static str>;

/// Creates a service that answers in this order and selects no backend. The body of a response is the number of the attempt.
pub(super) fn answers<const N: usize>(answers: [Result<u16, &'static str>; N]) -> Inner {
    let mut answers = answers.into_iter().enumerate();
    Probe::new(move |request: Request<ReplayBody<_>>| {
        let (attempt, answer) = answers.next().expect("one attempt too many");
        async move {
            let _ = request.into_body().collect().await;
            Ok(response(answer?, attempt))
        }
    })
}

/// Creates a service that answers in this order and marks another backend for each attempt. After the last answer no backend
/// is left.
pub(super) fn backends<const N: usize>(
    answers: [Result<u16, &'static str>; N],
) -> impl Service<
    Request<ReplayBody<ScriptedBody>>,
    Response = Response<usize>,
    Error = &'static str,
    Future: Send,
> + Clone {
    self::answers(answers).map_request(|request: Request<_>| {
        let attempt = mark_next(&request);
        if attempt + 1 == N {
            attempts(request.extensions()).set_exhausted(true);
        }
        request
    })
}

pub(super) fn attempts(extensions: &Extensions) -> &Attempts {
    extensions.get().expect("the request has `Attempts`")
}

/// Marks the backend with this index as tried.
pub(super) fn mark<B>(request: &Request<B>, index: usize) {
    attempts(request.extensions()).mark(index);
}

/// Marks a backend that was not tried. Returns the number of backends tried before.
pub(super) fn mark_next<B>(request: &Request<B>) -> usize {
    let attempt = attempts(request.extensions()).count() as usize;
    mark(request, attempt);
    attempt
}

pub(super) fn response(status: u16, attempt: usize) -> Response<usize> {
    Response::builder().status(status).body(attempt).unwrap()
}

pub(super) fn request(body: ScriptedBody) -> Request<ScriptedBody> {
    Request::post("/v1/chat/completions?x=1")
        .header("x-client", "1")
        .body(body)
        .unwrap()
}

/// Sends a request. Returns the status, and the number of the attempt that was answered with it.
pub(super) async fn send<S, E>(service: S) -> Result<(u16, usize), E>
where
    S: Service<Request<ScriptedBody>, Response = Response<usize>, Error = E>,
{
    let response = service
        .oneshot(request(ScriptedBody::new().data("question")))
        .await?;
    Ok((response.status().as_u16(), response.into_body()))
}
