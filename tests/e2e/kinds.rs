//! Backends of several kinds in one pool: each gets its own paths.

use spillover_testing::{
    MockUpstream,
    upstream::{Provider, RecordedRequest},
};
use spillover_tests::{
    e2e::{Answer, Gateway, GatewayBuilder, answer, json, request, with},
    gateway,
};

const CHAT: &str = r#"{"model": "gpt-4o", "messages": []}"#;
const DATED: &str = "/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21";

async fn mock(provider: Provider) -> MockUpstream {
    let mock = MockUpstream::builder().provider(provider).api_key("k");
    mock.start().await.expect("a free port")
}

trait Declared {
    /// Adds a backend of a declared kind, with the key of the mocks.
    fn declared(self, label: &str, priority: u32, kind: &str, mock: &MockUpstream) -> Self;
}

impl Declared for GatewayBuilder {
    fn declared(self, label: &str, priority: u32, kind: &str, mock: &MockUpstream) -> Self {
        self.env(format!("BACKEND_{label}_URL"), mock.url())
            .env(format!("BACKEND_{label}_PRIORITY"), priority.to_string())
            .env(format!("BACKEND_{label}_APIKEY"), "k")
            .env(format!("BACKEND_{label}_KIND"), kind)
    }
}

async fn chat(gateway: &Gateway, path: &str) -> Answer {
    gateway.send(json(path, CHAT)).await
}

fn last(mock: &MockUpstream) -> RecordedRequest {
    mock.handle().last_request().expect("a request")
}

#[tokio::test]
async fn request_of_either_form_moves_between_azure_and_openai() {
    let (azure, openai) = (mock(Provider::Azure).await, mock(Provider::OpenAi).await);
    let gateway = gateway!()
        .declared("azure", 1, "azure", &azure)
        .declared("openai", 2, "openai", &openai)
        .start()
        .await;
    for path in ["/v1/chat/completions", "/openai/v1/chat/completions", DATED] {
        // A refusal that closes nothing: the first backend is called first each time.
        azure.handle().push(answer(413, &[]));
        let answered = chat(&gateway, path).await;
        assert_eq!(answered.status, 200, "{path}: {}", answered.text());
        assert_eq!(answered.backend(), "openai");
        let sent = last(&openai);
        assert_eq!(sent.path_and_query(), "/v1/chat/completions");
        // OpenAI does not read `api-key`.
        assert_eq!(sent.headers["authorization"], "Bearer k");

        assert_eq!(chat(&gateway, path).await.backend(), "azure");
        let sent = last(&azure);
        let expected = if path == DATED {
            path
        } else {
            "/openai/v1/chat/completions"
        };
        assert_eq!(sent.path_and_query(), expected);
        assert_eq!(sent.headers["api-key"], "k");
    }
}

#[tokio::test]
async fn throttle_of_a_deployment_counts_for_every_form_of_its_requests() {
    let (first, second) = (mock(Provider::Azure).await, mock(Provider::Azure).await);
    let gateway = gateway!()
        .declared("first", 1, "azure", &first)
        .declared("second", 2, "azure", &second)
        .start()
        .await;
    first.handle().push(answer(429, &[("retry-after", "30")]));
    for path in [DATED, "/v1/chat/completions", "/openai/v1/chat/completions"] {
        assert_eq!(chat(&gateway, path).await.backend(), "second");
    }
    assert_eq!(first.handle().stats().received, 1);
    let other = r#"{"model": "gpt-4.1", "messages": []}"#;
    let answered = gateway.send(json("/v1/chat/completions", other)).await;
    assert_eq!(answered.backend(), "first");
}

#[tokio::test]
async fn throttle_of_a_backends_own_deployment_counts_for_every_name_of_it() {
    let (first, second) = (mock(Provider::Azure).await, mock(Provider::Azure).await);
    let gateway = gateway!()
        .declared("first", 1, "azure", &first)
        .env("BACKEND_first_DEPLOYMENT_NAME", "own")
        .declared("second", 2, "azure", &second)
        .start()
        .await;
    first.handle().push(answer(429, &[("retry-after", "30")]));
    let other = DATED.replace("gpt-4o", "gpt-4.1");
    for path in ["/v1/chat/completions", DATED, &other] {
        assert_eq!(chat(&gateway, path).await.backend(), "second", "{path}");
    }
    assert_eq!(first.handle().stats().received, 1);
    let sent = last(&first);
    assert!(sent.body.starts_with(br#"{"model": "own""#), "{sent:?}");
}

#[tokio::test]
async fn path_unknown_to_openai_moves_on_to_azure() {
    let (openai, azure) = (mock(Provider::OpenAi).await, mock(Provider::Azure).await);
    let gateway = gateway!()
        .declared("openai", 1, "openai", &openai)
        .declared("azure", 2, "azure", &azure)
        .start()
        .await;
    let only_azure = "/openai/deployments/gpt-4o/extensions/chat/completions?api-version=1";
    azure.handle().push(answer(200, &[]));
    let answered = chat(&gateway, only_azure).await;
    assert_eq!((answered.status, answered.backend()), (200, "azure"));
    assert_eq!(last(&azure).path_and_query(), only_azure);
    assert_eq!(openai.handle().stats().received, 0);
    // The backend does not count as failing.
    assert_eq!(
        chat(&gateway, "/v1/chat/completions").await.backend(),
        "openai"
    );
}

#[tokio::test]
async fn path_of_no_backend_gets_404_in_the_clients_format() {
    let openai = mock(Provider::OpenAi).await;
    let gateway = gateway!().declared("openai", 1, "openai", &openai);
    let gateway = gateway.start().await;
    for path in [
        "/openai/deployments/gpt-4o",
        "/openai/deployments/gpt-4o/extensions/chat/completions",
        "/openai/deployments/gpt-4o/../x/chat/completions",
    ] {
        let answered = chat(&gateway, path).await;
        assert_eq!(answered.status, 404, "{path}");
        assert_eq!(answered.error()["code"], "not_found");
    }
    let anthropic = with(
        json("/openai/deployments/x", CHAT),
        "anthropic-version",
        "1",
    );
    let answered = gateway.send(anthropic).await;
    assert_eq!(answered.json()["error"]["type"], "not_found_error");
    assert_eq!(openai.handle().stats().received, 0);
}

#[tokio::test]
async fn url_that_ends_with_the_root_of_the_api_has_it_once() {
    let (azure, openai) = (mock(Provider::Azure).await, mock(Provider::OpenAi).await);
    for (mock, kind, root) in [
        (&azure, "azure", "/openai/v1/"),
        (&azure, "azure", "/openai"),
        (&azure, "azure", ""),
        (&openai, "openai", "/v1"),
        (&openai, "openai", ""),
        (&openai, "other", "/v1/"),
        (&openai, "other", ""),
    ] {
        let gateway = gateway!()
            .declared("only", 1, kind, mock)
            .env("BACKEND_only_AUTH", "bearer")
            .env("BACKEND_only_URL", format!("{}{root}", mock.url()))
            .start()
            .await;
        let answered = chat(&gateway, "/v1/chat/completions").await;
        assert_eq!(answered.status, 200, "{kind} {root}");
        let models = gateway.send(request("GET", "/v1/models", "")).await;
        assert_eq!(models.status, 200, "{kind} {root}");
    }
}

#[tokio::test]
async fn kind_other_leaves_every_path_as_it_is() {
    let azure = mock(Provider::Azure).await;
    let gateway = gateway!().declared("azure", 1, "other", &azure);
    let gateway = gateway.start().await;
    assert_eq!(chat(&gateway, "/v1/chat/completions").await.status, 404);
    assert_eq!(last(&azure).path_and_query(), "/v1/chat/completions");
}

#[tokio::test]
async fn start_and_check_warn_and_go_on() {
    let azure = mock(Provider::Azure).await;
    let with_warnings = || {
        let url = format!("{}/openai/deployments/gpt-4o", azure.url());
        gateway!()
            .declared("azure", 1, "azure", &azure)
            .declared("claude", 2, "other", &azure)
            .env("BACKEND_claude_URL", "https://api.anthropic.com")
            .declared("portal", 3, "azure", &azure)
            .env("BACKEND_portal_URL", url)
    };
    let gateway = with_warnings().start().await;
    let mut warned: Vec<_> = gateway.lines();
    warned.retain(|line| line["level"] == "WARN" && line["setting"].is_string());
    let settings: Vec<_> = warned.iter().map(|line| &line["setting"]).collect();
    assert_eq!(settings, ["BACKEND_portal_URL", "BACKEND_claude_URL"]);
    let message = warned[0]["message"].as_str().expect("a message");
    assert!(
        message.contains(&format!("expected {},", azure.url())),
        "{message}"
    );

    let checked = with_warnings().args(["check"]).run().await;
    assert_eq!(checked.code, Some(0), "{}", checked.stderr);
    let lines = checked.stdout.lines();
    let warnings = lines.filter(|line| line.starts_with("# Warning: ")).count();
    assert_eq!(warnings, 2, "{}", checked.stdout);
    assert!(checked.stdout.contains("kind = \"azure\""));
}
