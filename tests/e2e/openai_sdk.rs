//! A common client library, with only its base URL changed to the gateway's instead of OpenAI's or Azure OpenAI's.

use async_openai::{
    Client,
    config::{AzureConfig, Config, OpenAIConfig},
    error::{ApiErrorResponse, OpenAIError},
    middleware::ReqwestService,
    types::chat::{
        ChatCompletionRequestUserMessage, CreateChatCompletionRequest,
        CreateChatCompletionRequestArgs,
    },
};
use futures_util::TryStreamExt;
use spillover_testing::{MockUpstream, limit::Payg, upstream::Provider};
use spillover_tests::{
    e2e::{Gateway, GatewayBuilder, Program, RefusingPort, answer, behaving, soon},
    for_both_gateways, gateway, production,
};

for_both_gateways!(
    chat_and_stream_by_openai_config,
    chat_and_stream_by_azure_config,
    throttled_backend_goes_unnoticed,
    client_that_retries_comes_back_when_the_pool_opens,
    client_gets_the_error_of_a_backend_about_its_request,
);

const REPLY: &str = "It is a gateway, and nobody noticed.";

/// Starts a mock that requires this key and answers [`REPLY`]. For the production gateway it has only Azure OpenAI's
/// paths; the example gateway cannot be told a local backend's kind.
async fn backend(program: Program, key: &str) -> MockUpstream {
    let mut mock = MockUpstream::builder().api_key(key).reply(REPLY);
    if program.is_production() {
        mock = mock.provider(Provider::Azure);
    }
    mock.start().await.expect("a free port")
}

fn in_front_of(program: Program, backends: &[&MockUpstream], keys: &[&str]) -> GatewayBuilder {
    let backends = (1..).zip(backends).zip(keys);
    backends.fold(program.gateway(), |gateway, ((number, backend), key)| {
        let label = number.to_string();
        let gateway = gateway.backend(&label, number, backend.url());
        let gateway = gateway.key(&label, key);
        match program.is_production() {
            true => gateway.env(format!("BACKEND_{label}_KIND"), "azure"),
            false => gateway,
        }
    })
}

fn openai(gateway: &Gateway) -> OpenAIConfig {
    OpenAIConfig::new()
        .with_api_base(format!("{}/v1", gateway.url()))
        .with_api_key("of-the-client")
}

fn azure(gateway: &Gateway) -> AzureConfig {
    AzureConfig::new()
        .with_api_base(gateway.url())
        .with_deployment_id("gpt-4o")
        .with_api_version("2024-10-21")
        .with_api_key("of-the-client")
}

/// Returns a client with default settings: it retries 429 and 5xx by itself.
fn client<C: Config>(config: C) -> Client<C> {
    Client::build(http_client(), config)
}

/// Returns a client that shows every answer.
fn client_without_retries<C: Config>(config: C) -> Client<C> {
    Client::build(http_client(), config).with_http_service(ReqwestService::new(http_client()))
}

/// Returns an HTTP client that ignores the machine's proxy settings.
fn http_client() -> reqwest::Client {
    let client = reqwest::Client::builder().no_proxy();
    client.build().expect("a client")
}

fn question() -> CreateChatCompletionRequest {
    CreateChatCompletionRequestArgs::default()
        .model("gpt-4o")
        .messages(ChatCompletionRequestUserMessage::from(
            "What is between us?",
        ))
        .max_completion_tokens(50_u32)
        .build()
        .expect("a request")
}

async fn chat<C: Config>(client: &Client<C>) -> Result<String, OpenAIError> {
    let answer = soon(client.chat().create(question())).await?;
    Ok(answer.choices[0]
        .message
        .content
        .clone()
        .unwrap_or_default())
}

/// Returns the reply, and the number of its pieces.
async fn chat_stream<C: Config>(client: &Client<C>) -> Result<(String, usize), OpenAIError> {
    let stream = soon(client.chat().create_stream(question())).await?;
    let events: Vec<_> = soon(stream.try_collect()).await?;
    let pieces = events
        .iter()
        .filter_map(|event| event.choices[0].delta.content.as_deref());
    let pieces: Vec<_> = pieces.filter(|piece| !piece.is_empty()).collect();
    Ok((pieces.concat(), pieces.len()))
}

fn api_error(error: OpenAIError) -> ApiErrorResponse {
    match error {
        OpenAIError::ApiError(error) => error,
        error => panic!("no error of the API: {error}"),
    }
}

async fn chat_and_stream_by_openai_config(program: Program) {
    let backend = backend(program, "of-the-backend").await;
    let gateway = in_front_of(program, &[&backend], &["of-the-backend"])
        .start()
        .await;
    let client = client(openai(&gateway));

    assert_eq!(chat(&client).await.unwrap(), REPLY);
    assert_eq!(chat_stream(&client).await.unwrap(), (REPLY.into(), 7));
    let models = soon(client.models().list()).await.unwrap();
    assert_eq!(models.data[0].id, "mock");
}

async fn chat_and_stream_by_azure_config(program: Program) {
    let backend = backend(program, "of-the-backend").await;
    let gateway = in_front_of(program, &[&backend], &["of-the-backend"])
        .env("BACKEND_1_DEPLOYMENT_NAME", "gpt-4o-sweden")
        .start()
        .await;
    let client = client(azure(&gateway));

    assert_eq!(chat(&client).await.unwrap(), REPLY);
    assert_eq!(chat_stream(&client).await.unwrap(), (REPLY.into(), 7));
    for request in backend.handle().requests() {
        let expected = "/openai/deployments/gpt-4o-sweden/chat/completions?api-version=2024-10-21";
        assert_eq!(request.path_and_query(), expected);
        assert_eq!(request.headers["api-key"], "of-the-backend");
    }
}

#[tokio::test]
async fn clients_own_key_is_enough_where_the_gateway_has_none() {
    let backend = backend(production!(), "of-the-client").await;
    let gateway = gateway!().backend("1", 1, backend.url());
    let gateway = gateway.env("BACKEND_1_KIND", "azure").start().await;
    assert_eq!(chat(&client(openai(&gateway))).await.unwrap(), REPLY);
    assert_eq!(chat(&client(azure(&gateway))).await.unwrap(), REPLY);
}

async fn throttled_backend_goes_unnoticed(program: Program) {
    let (first, next) = (
        backend(program, "first").await,
        backend(program, "next").await,
    );
    // Room for one request per minute.
    first.handle().set_limit(Payg::new(60));
    let gateway = in_front_of(program, &[&first, &next], &["first", "next"])
        .start()
        .await;

    let client = client_without_retries(openai(&gateway));
    for _ in 0..5 {
        assert_eq!(chat(&client).await.unwrap(), REPLY);
        assert_eq!(chat_stream(&client).await.unwrap().0, REPLY);
    }
    assert_eq!(
        (
            first.handle().stats().served,
            first.handle().stats().throttled
        ),
        (1, 1)
    );
    assert_eq!(next.handle().stats().served, 9);
}

#[tokio::test]
async fn client_learns_that_all_are_throttled() {
    let backend = behaving(answer(429, &[("retry-after", "30")])).await;
    let gateway = in_front_of(production!(), &[&backend], &["key"])
        .env("WHEN_EXHAUSTED", "reject")
        .start()
        .await;
    let client = client_without_retries(azure(&gateway));

    let error = api_error(chat(&client).await.unwrap_err());
    assert_eq!(
        (error.status_code.as_u16(), &*error.api_error.message),
        (429, "of the backend")
    );

    for error in [
        chat(&client).await.unwrap_err(),
        chat_stream(&client).await.unwrap_err(),
    ] {
        let error = api_error(error);
        assert_eq!(error.status_code, 429);
        let message = error.api_error.message;
        assert!(
            message.starts_with("Every backend is at its rate limit."),
            "{message}"
        );
        assert_eq!(error.api_error.code.as_deref(), Some("rate_limit_exceeded"));
    }
    assert_eq!(backend.handle().stats().received, 1);
}

async fn client_that_retries_comes_back_when_the_pool_opens(program: Program) {
    let mocks = [backend(program, "a").await, backend(program, "b").await];
    // The second backend states a longer wait; the client gets the first one's.
    for (mock, seconds) in mocks.iter().zip(["1", "30"]) {
        mock.handle().push(answer(429, &[("retry-after", seconds)]));
    }
    let gateway = in_front_of(program, &[&mocks[0], &mocks[1]], &["a", "b"])
        .start()
        .await;
    assert_eq!(chat(&client(openai(&gateway))).await.unwrap(), REPLY);

    let [first, again] = &mocks[0].handle().requests()[..] else {
        panic!("{:?}", mocks[0].handle().stats());
    };
    assert!((again.at - first.at).as_secs() >= 1);
    assert_eq!(mocks[1].handle().stats().received, 1);
}

#[tokio::test]
async fn client_learns_that_no_backend_can_be_reached() {
    let refusing = RefusingPort::bind();
    let gateway = gateway!().backend("1", 1, refusing.url()).start().await;
    let client = client_without_retries(openai(&gateway));
    let error = api_error(chat(&client).await.unwrap_err());
    assert_eq!(error.status_code.as_u16(), 502);
    // The library shows the body of a 5xx unchanged.
    let message = error.api_error.message;
    assert!(
        message.contains("The backend could not be reached."),
        "{message}"
    );
}

async fn client_gets_the_error_of_a_backend_about_its_request(program: Program) {
    let backend = behaving(answer(400, &[])).await;
    let gateway = in_front_of(program, &[&backend], &["key"]).start().await;
    let error = api_error(chat(&client(openai(&gateway))).await.unwrap_err());
    assert_eq!(
        (error.status_code.as_u16(), &*error.api_error.message),
        (400, "of the backend")
    );
}
