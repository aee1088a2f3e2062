//! A gateway with an Entra ID identity: its backends get tokens from an identity endpoint like that of App Service and
//! Container Apps (<https://learn.microsoft.com/azure/app-service/overview-managed-identity#rest-endpoint-reference>).

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use axum::{Router, body::Body, extract::Request};
use http::{HeaderValue, Response, StatusCode};
use serde_json::{Value, json};
use spillover_testing::MockUpstream;
use spillover_tests::{
    e2e::{Client, Gateway, GatewayBuilder, healthy, request, soon},
    gateway,
};
use tokio::{net::TcpListener, task::JoinSet, time::sleep};

/// Gives `token-1`, `token-2` and so on to callers with its secret.
struct Endpoint {
    url: String,
    desk: Arc<Desk>,
    _serving: JoinSet<()>,
}

struct Desk {
    is_down: AtomicBool,
    given: AtomicU64,
    valid_for: Duration,
}

const SECRET: &str = "853b9a84-5bfa-4b22-a3f3-0b9a43d9ad8a";

impl Endpoint {
    /// Starts an endpoint whose tokens live for this long.
    async fn start(valid_for: Duration) -> Self {
        let desk = Arc::new(Desk {
            is_down: AtomicBool::new(false),
            given: AtomicU64::new(0),
            valid_for,
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!(
            "http://{}/msi/token",
            listener.local_addr().expect("it is bound")
        );
        let shared = Arc::clone(&desk);
        let router = Router::new().fallback(async move |request| shared.answer(&request));
        let mut serving = JoinSet::new();
        serving.spawn(async { axum::serve(listener, router).await.expect("it serves") });
        Self {
            url,
            desk,
            _serving: serving,
        }
    }

    fn set_down(&self, is_down: bool) {
        self.desk.is_down.store(is_down, Relaxed);
    }

    /// Returns a gateway on a platform with this endpoint, with an admin listener.
    fn gateway(&self) -> GatewayBuilder {
        gateway!().envs([
            ("IDENTITY_ENDPOINT", &*self.url),
            ("IDENTITY_HEADER", SECRET),
            ("ADMIN_LISTEN", "127.0.0.1:0"),
        ])
    }

    /// Starts a gateway in front of this backend.
    async fn gateway_of(&self, backend: &MockUpstream) -> Gateway {
        let gateway = self.gateway().env("BACKEND_ours_AUTH", "entra");
        gateway.backend("ours", 1, backend.url()).start().await
    }
}

impl Desk {
    fn answer(&self, request: &Request) -> Response<Body> {
        assert_eq!(request.headers()["x-identity-header"], SECRET);
        let query = request.uri().query().unwrap_or_default();
        let resource = query
            .split('&')
            .find_map(|pair| pair.strip_prefix("resource="));
        let prefix = match resource {
            Some("https%3A%2F%2Fcognitiveservices.azure.com") => "token",
            Some("https%3A%2F%2Fai.azure.com") => "foundry-token",
            _ => panic!("{query}"),
        };
        if self.is_down.load(Relaxed) {
            let mut response = Response::new(Body::from("token-0"));
            *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
            return response;
        }
        let number = self.given.fetch_add(1, Relaxed) + 1;
        let token = json!({
            "access_token": format!("{prefix}-{number}"),
            "expires_on": (now() + self.valid_for).as_secs().to_string(),
            "resource": "https://cognitiveservices.azure.com",
            "token_type": "Bearer",
        });
        Response::new(token.to_string().into())
    }
}

#[expect(clippy::disallowed_methods, reason = "the protocol has dates")]
fn now() -> Duration {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.expect("it is after 1970")
}

const HOUR: Duration = Duration::from_secs(3600);

async fn status(gateway: &Gateway) -> Value {
    let line = gateway
        .wait_for_line(|line| line["message"] == "admin")
        .await;
    let address = line["address"]
        .as_str()
        .and_then(|address| address.parse().ok());
    let address = address.expect("an address");
    Client::http1(address).get("/status").await.json()
}

/// Returns the credential of the backend's last request.
fn credential(backend: &MockUpstream) -> HeaderValue {
    let request = backend.handle().last_request().expect("a request");
    let mut values = request.headers.get_all("authorization").iter();
    let value = values.next().expect("a credential");
    assert!(values.next().is_none(), "more than one");
    value.clone()
}

/// Checks that neither log nor answers hold a credential.
async fn assert_discreet(gateway: Gateway) {
    let told = status(&gateway).await.to_string();
    let exit = gateway.stop().await;
    assert_eq!(exit.code, Some(0), "{exit:?}");
    for secret in ["token-", SECRET, "of-the-client"] {
        assert!(!told.contains(secret), "{told}");
        assert!(!exit.stderr.contains(secret), "{}", exit.stderr);
    }
}

#[tokio::test]
async fn backend_gets_a_token_and_no_client_credential() {
    let (endpoint, backend) = (Endpoint::start(HOUR).await, healthy().await);
    let gateway = endpoint.gateway_of(&backend).await;

    let mut request = request("GET", "/v1/models", Body::empty());
    for name in ["authorization", "api-key", "x-api-key"] {
        let value = HeaderValue::from_static("of-the-client");
        request.headers_mut().insert(name, value);
    }
    assert_eq!(gateway.send(request).await.status, 200);
    assert_eq!(credential(&backend), "Bearer token-1");
    let arrived = backend.handle().last_request().unwrap();
    assert!(!arrived.headers.contains_key("api-key"));
    assert!(!arrived.headers.contains_key("x-api-key"));

    let entra = status(&gateway).await["entra"].take();
    assert_eq!(entra["source"], "managed identity");
    assert!(
        entra["valid_for_seconds"].as_u64().unwrap() > 3000,
        "{entra}"
    );
    assert_discreet(gateway).await;
}

#[tokio::test]
async fn each_backend_gets_a_token_for_its_audience() {
    let endpoint = Endpoint::start(HOUR).await;
    let (azure, foundry) = (healthy().await, healthy().await);
    let text = format!(
        "[[pools]]\n\
         [[pools.backends]]\nname = \"azure\"\nurl = \"{}\"\ncredential = \"entra\"\n\
         [[pools.backends]]\nname = \"foundry\"\nurl = \"{}\"\ncredential = \"entra\"\n\
         audience = \"https://ai.azure.com\"\n",
        azure.url(),
        foundry.url()
    );
    let gateway = endpoint.gateway().config(&text).start().await;
    while azure.handle().stats().received == 0 || foundry.handle().stats().received == 0 {
        let request = request("GET", "/v1/models", Body::empty());
        assert_eq!(gateway.send(request).await.status, 200);
    }
    let tokens = [&azure, &foundry].map(|backend| credential(backend).to_str().unwrap().to_owned());
    assert!(tokens[0].starts_with("Bearer token-"), "{tokens:?}");
    assert!(tokens[1].starts_with("Bearer foundry-token-"), "{tokens:?}");
    assert_discreet(gateway).await;
}

#[tokio::test]
async fn backend_without_a_token_is_skipped_until_one_comes() {
    let endpoint = Endpoint::start(HOUR).await;
    endpoint.set_down(true);
    let (first, second) = (healthy().await, healthy().await);
    let gateway = endpoint
        .gateway()
        .env("BACKEND_first_AUTH", "entra")
        .backend("first", 1, first.url())
        .backend("second", 2, second.url())
        .start()
        .await;

    let answer = gateway.get("/v1/models").await;
    assert_eq!((answer.status, answer.backend()), (200, "second"));
    assert_eq!(first.handle().stats().received, 0);
    let attempt = gateway
        .wait_for_line(|line| line["message"] == "attempt failed")
        .await;
    assert_eq!(attempt["backend"], "first");
    let error = attempt["error"].as_str().unwrap();
    assert!(
        error.starts_with("no Entra ID token came yet") && error.contains("503"),
        "{error}"
    );
    let status = status(&gateway).await;
    let error = status["entra"]["last_error"].as_str().unwrap();
    assert!(error.contains("503 Service Unavailable"), "{error}");
    assert_eq!(status["entra"]["valid_for_seconds"], 0);
    assert_eq!(status["pools"][0]["backends"][0]["condition"], "failing");

    endpoint.set_down(false);
    gateway
        .wait_for_line(|line| line["message"] == "Entra ID token acquired")
        .await;
    let back = async {
        while gateway.get("/v1/models").await.backend() != "first" {
            sleep(Duration::from_millis(50)).await;
        }
    };
    soon(back).await;
    assert_eq!(credential(&first), "Bearer token-1");
    assert_discreet(gateway).await;
}

#[tokio::test]
async fn token_is_replaced_before_it_expires() {
    let (endpoint, backend) = (
        Endpoint::start(Duration::from_secs(8)).await,
        healthy().await,
    );
    let gateway = endpoint.gateway_of(&backend).await;

    let replaced = async {
        loop {
            assert_eq!(gateway.get("/v1/models").await.status, 200);
            if credential(&backend) != "Bearer token-1" {
                return;
            }
            sleep(Duration::from_millis(50)).await;
        }
    };
    soon(replaced).await;
    assert_discreet(gateway).await;
}

#[tokio::test]
async fn incomplete_identity_is_a_bad_configuration() {
    let file = "AZURE_FEDERATED_TOKEN_FILE";
    for (set, missing) in [
        ("AZURE_CLIENT_SECRET", "AZURE_TENANT_ID"),
        (file, "AZURE_TENANT_ID"),
        ("IDENTITY_ENDPOINT", "IDENTITY_HEADER"),
    ] {
        let exit = gateway!()
            .env("BACKEND_ours_AUTH", "entra")
            .backend("ours", 1, "https://name.openai.azure.com")
            .env(set, SECRET)
            .run()
            .await;
        assert_eq!(exit.code, Some(2), "{exit:?}");
        let said = format!("spillover: bad configuration\n  {missing}: not set, but {set} is\n");
        assert!(exit.stderr.ends_with(&said), "{}", exit.stderr);
        assert!(!exit.stderr.contains(SECRET), "{}", exit.stderr);
    }
}

#[tokio::test]
async fn gateway_without_entra_backends_needs_no_identity() {
    let backend = healthy().await;
    let gateway = gateway!()
        .backend("theirs", 1, backend.url())
        .env("AZURE_CLIENT_SECRET", SECRET)
        .start()
        .await;
    assert_eq!(gateway.get("/v1/models").await.status, 200);
}
