//! The managed identity endpoint of App Service and Container Apps.
//! <https://learn.microsoft.com/azure/app-service/overview-managed-identity#rest-endpoint-reference>

use std::{
    fs,
    time::{SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use http::Response;
use spillover_testing::{MockUpstream, upstream::Behavior};
use spillover_tests::{e2e::healthy, entra::PATIENCE, first_token};

/// Starts an endpoint that gives each answer once, and then repeats the last one.
async fn endpoint(answers: impl IntoIterator<Item = (u16, String)>) -> MockUpstream {
    let endpoint = healthy().await;
    for (status, body) in answers {
        let answer = Response::builder().status(status).body(Bytes::from(body));
        let answer = Behavior::respond(answer.expect("a response"));
        endpoint.handle().push(answer.clone());
        endpoint.handle().set_behavior(answer);
    }
    endpoint
}

/// Returns an answer in the format of managed identity endpoints.
#[expect(clippy::disallowed_methods, reason = "the protocol has dates")]
fn managed_token(token: &str, seconds: i64) -> (u16, String) {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("after 1970");
    let expires_on = now.as_secs().saturating_add_signed(seconds);
    let body = format!(
        r#"{{"access_token":"{token}","expires_on":"{expires_on}","resource":"r","token_type":"Bearer","client_id":"c"}}"#
    );
    (200, body)
}

async fn token_at(endpoint: &MockUpstream, more: &[(&str, &str)]) -> String {
    let endpoint = format!("{}/msi/token", endpoint.url());
    let mut variables = vec![
        ("IDENTITY_ENDPOINT", &*endpoint),
        ("IDENTITY_HEADER", "853b9a84-5bfa-4b22-a3f3-0b9a43d9ad8a"),
    ];
    variables.extend(more);
    first_token!(&variables).await
}

#[tokio::test]
async fn app_identity_gives_tokens() {
    let server = endpoint([managed_token("managed", 86_400)]).await;
    assert_eq!(token_at(&server, &[]).await, "Bearer managed");

    let seen = server.handle().requests();
    assert_eq!((seen.len(), seen[0].method.as_str()), (1, "GET"));
    assert_eq!(
        seen[0].path_and_query(),
        "/msi/token?api-version=2019-08-01&resource=https%3A%2F%2Fcognitiveservices.azure.com"
    );
    let header = &seen[0].headers["x-identity-header"];
    assert_eq!(header, "853b9a84-5bfa-4b22-a3f3-0b9a43d9ad8a");
}

#[tokio::test]
async fn user_assigned_identity_is_chosen_by_its_client_id() {
    let server = endpoint([managed_token("assigned", 86_400)]).await;
    let client = ("AZURE_CLIENT_ID", "7b795fb9-09d3-42f4-a494-38864f99ba3c");
    assert_eq!(token_at(&server, &[client]).await, "Bearer assigned");
    let seen = server.handle().last_request().unwrap();
    let target = seen.path_and_query();
    assert!(
        target.ends_with("&client_id=7b795fb9-09d3-42f4-a494-38864f99ba3c"),
        "{target}"
    );
}

#[tokio::test]
async fn failed_endpoint_is_retried() {
    let answers = [
        (503, "no".to_owned()),
        (429, "slower".to_owned()),
        managed_token("back", 86_400),
    ];
    let server = endpoint(answers).await;
    assert_eq!(token_at(&server, &[(PATIENCE, "5")]).await, "Bearer back");
    assert_eq!(server.handle().requests().len(), 3);
}

#[tokio::test]
async fn error_has_the_endpoints_reason() {
    let token = "eyJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJodHRwczovL2NvZ25pdGl2ZXNlcnZpY2VzIn0.c2ln";
    for (answer, reason) in [
        (
            (400, "{}".to_owned()),
            "The requested identity has not been assigned to this resource",
        ),
        (
            (
                400,
                r#"{"error":"invalid_request","error_description":"Identity \"x\" not found"}"#
                    .to_owned(),
            ),
            "/msi/token answered 400 Bad Request: Identity \"x\" not found",
        ),
        (
            (500, "down".to_owned()),
            "/msi/token answered 500 Internal Server Error",
        ),
        ((200, "{}".to_owned()), "missing field `access_token`"),
        (
            (200, "<html>".to_owned()),
            "expected value at line 1 column 1",
        ),
        ((200, format!("\"{token}\"")), "[...]"),
        (
            managed_token(token, -1),
            "the token that came had expired already",
        ),
        (managed_token("no token", 3600), "it is no header value"),
    ] {
        let server = endpoint([answer]).await;
        let said = token_at(&server, &[]).await;
        assert!(said.contains(reason), "{said}");
        assert!(!said.contains("eyJ"), "{said}");
    }
}

#[tokio::test]
async fn error_names_a_missing_endpoint() {
    let said = first_token!(&[
        ("IDENTITY_ENDPOINT", "http://127.0.0.1:1/msi/token?key=hush"),
        ("IDENTITY_HEADER", "whisper"),
    ])
    .await;
    assert!(
        said.starts_with("managed identity: http://127.0.0.1:1/msi/token cannot be reached: "),
        "{said}"
    );
    assert!(
        said.contains("Connection refused") && !said.contains("hush"),
        "{said}"
    );
}

#[cfg(unix)]
#[tokio::test]
async fn signed_in_user_gives_tokens() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    let path = format!("{}:/usr/bin:/bin", folder.path().display());
    let variables = [("PATH", &*path), ("AZURE_TOKEN_CREDENTIALS", "dev")];
    let neither = first_token!(&variables).await;
    assert_eq!(
        neither,
        "az: az not found on PATH; azd: azd not found on PATH"
    );

    let az = folder.path().join("az");
    let says = r#"{"accessToken":"mine","expires_on":4102444800,"tokenType":"Bearer"}"#;
    fs::write(&az, format!("#!/bin/sh\n[ \"$6\" = https://cognitiveservices.azure.com/.default ] && echo '{says}'\n"))
        .unwrap();
    fs::set_permissions(&az, fs::Permissions::from_mode(0o755)).unwrap();
    let mine = first_token!(&variables).await;
    assert_eq!(mine, "Bearer mine");
}
