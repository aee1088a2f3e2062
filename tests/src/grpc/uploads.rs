//! Methods that take a stream. No published crate has generated code for one.

use std::{
    convert::Infallible,
    task::{Context, Poll},
};

use futures_util::{FutureExt, Stream, StreamExt, future::BoxFuture, stream::BoxStream};
use http::uri::PathAndQuery;
use tonic::{
    Request, Response, Status, Streaming,
    body::Body,
    client::GrpcService,
    server::{ClientStreamingService, NamedService, StreamingService},
};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};
use tonic_prost::ProstCodec;
use tower::Service;

use super::{Play, server::Script};

/// The path of the method.
pub const UPLOAD: &str = "/test.Uploads/Upload";

/// Sends the stream through `client`. The answer's status field holds the number of messages that arrived.
///
/// # Errors
///
/// Fails with the status that the server, or a layer in between, answers instead.
pub async fn upload<S>(
    client: S,
    messages: impl Stream<Item = String> + Send + 'static,
) -> Result<Response<HealthCheckResponse>, Status>
where
    S: GrpcService<Body, ResponseBody: Send + 'static>,
    <S::ResponseBody as http_body::Body>::Error: Into<tower::BoxError> + Send,
{
    let mut client = tonic::client::Grpc::new(client);
    let ready = client.ready().await;
    ready.map_err(|error| Status::from_error(error.into()))?;
    let messages = messages.map(|service| HealthCheckRequest { service });
    let codec = ProstCodec::<HealthCheckRequest, HealthCheckResponse>::default();
    let path = PathAndQuery::from_static(UPLOAD);
    client
        .client_streaming(Request::new(messages), path, codec)
        .await
}

/// The path of the method with streams both ways.
const CONVERSE: &str = "/test.Uploads/Converse";

/// Sends the stream through `client`. The answer has one message per message that arrived.
///
/// # Errors
///
/// Fails with the status that the server, or a layer in between, answers instead.
pub async fn converse<S>(
    client: S,
    messages: impl Stream<Item = String> + Send + 'static,
) -> Result<Response<Streaming<HealthCheckResponse>>, Status>
where
    S: GrpcService<Body, ResponseBody: Send + 'static>,
    <S::ResponseBody as http_body::Body>::Error: Into<tower::BoxError> + Send,
{
    let mut client = tonic::client::Grpc::new(client);
    let ready = client.ready().await;
    ready.map_err(|error| Status::from_error(error.into()))?;
    let messages = messages.map(|service| HealthCheckRequest { service });
    let codec = ProstCodec::<HealthCheckRequest, HealthCheckResponse>::default();
    let path = PathAndQuery::from_static(CONVERSE);
    client.streaming(Request::new(messages), path, codec).await
}

#[derive(Clone, Debug)]
pub(super) struct UploadsServer {
    script: Script,
}

impl UploadsServer {
    pub(super) fn new(script: Script) -> Self {
        Self { script }
    }
}

impl NamedService for UploadsServer {
    const NAME: &'static str = "test.Uploads";
}

impl Service<http::Request<Body>> for UploadsServer {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<http::Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let script = self.script.clone();
        let codec = ProstCodec::<HealthCheckResponse, HealthCheckRequest>::default();
        async move {
            let mut server = tonic::server::Grpc::new(codec);
            Ok(match request.uri().path() {
                CONVERSE => server.streaming(Converse { script }, request).await,
                _ => server.client_streaming(Upload { script }, request).await,
            })
        }
        .boxed()
    }
}

struct Converse {
    script: Script,
}

impl StreamingService<HealthCheckRequest> for Converse {
    type Response = HealthCheckResponse;
    type ResponseStream = BoxStream<'static, Result<HealthCheckResponse, Status>>;
    type Future = BoxFuture<'static, Result<Response<Self::ResponseStream>, Status>>;

    /// Always serves, ignoring the script. The head goes out before any message has come.
    fn call(&mut self, request: Request<Streaming<HealthCheckRequest>>) -> Self::Future {
        self.script.next(request.metadata());
        let messages = request.into_inner();
        let answers = messages.map(|message| message.map(|_| HealthCheckResponse { status: 1 }));
        let response = self.script.name(answers.boxed());
        async { Ok(response) }.boxed()
    }
}

struct Upload {
    script: Script,
}

impl ClientStreamingService<HealthCheckRequest> for Upload {
    type Response = HealthCheckResponse;
    type Future = BoxFuture<'static, Result<Response<HealthCheckResponse>, Status>>;

    fn call(&mut self, request: Request<Streaming<HealthCheckRequest>>) -> Self::Future {
        let script = self.script.clone();
        async move {
            let play = script.next(request.metadata());
            let mut messages = request.into_inner();
            // Always reads the first message, so that a refusal comes in the middle of the stream.
            let mut count = i32::from(messages.message().await?.is_some());
            match play {
                Play::Serve => {}
                Play::Stall => std::future::pending().await,
                Play::Refuse(status) | Play::RefuseLate(status) | Play::Break(status) => {
                    return Err(status);
                }
            }
            while messages.message().await?.is_some() {
                count += 1;
            }
            Ok(script.name(HealthCheckResponse { status: count }))
        }
        .boxed()
    }
}
