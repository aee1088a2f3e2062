//! The endpoint that App Service and Container Apps have for managed identities.
//! <https://learn.microsoft.com/azure/app-service/overview-managed-identity#rest-endpoint-reference>

use std::{env, fs, process};

use super::{
    machine::{PATIENCE, first_token},
    server::{Server, managed_token},
};

async fn token_at(server: &Server, more: &[(&str, &str)]) -> String {
    let endpoint = format!("http://{}/msi/token", server.address());
    let mut variables = vec![
        ("IDENTITY_ENDPOINT", &*endpoint),
        ("IDENTITY_HEADER", "853b9a84-5bfa-4b22-a3f3-0b9a43d9ad8a"),
    ];
    variables.extend(more);
    first_token(&variables).await
}

#[tokio::test]
async fn the_identity_of_the_app_gives_tokens() {
    let server = Server::start(None, [managed_token("managed", 86_400)]).await;
    assert_eq!(token_at(&server, &[]).await, "Bearer managed");

    let seen = server.seen();
    assert_eq!(seen.len(), 1);
    assert_eq!(
        seen[0].line,
        "GET /msi/token?api-version=2019-08-01&resource=https%3A%2F%2Fcognitiveservices.azure.com"
    );
    let header = &seen[0].headers["x-identity-header"];
    assert_eq!(header, "853b9a84-5bfa-4b22-a3f3-0b9a43d9ad8a");
}

#[tokio::test]
async fn a_user_assigned_identity_is_chosen_by_its_client_id() {
    let server = Server::start(None, [managed_token("assigned", 86_400)]).await;
    let client = ("AZURE_CLIENT_ID", "7b795fb9-09d3-42f4-a494-38864f99ba3c");
    assert_eq!(token_at(&server, &[client]).await, "Bearer assigned");
    let line = server.seen()[0].line.clone();
    assert!(
        line.ends_with("&client_id=7b795fb9-09d3-42f4-a494-38864f99ba3c"),
        "{line}"
    );
}

#[tokio::test]
async fn an_endpoint_that_is_down_for_a_moment_is_asked_again() {
    let answers = [
        (503, "no".to_owned()),
        (429, "slower".to_owned()),
        managed_token("back", 86_400),
    ];
    let server = Server::start(None, answers).await;
    assert_eq!(token_at(&server, &[(PATIENCE, "5")]).await, "Bearer back");
    assert_eq!(server.seen().len(), 3);
}

#[tokio::test]
async fn the_reason_of_the_endpoint_is_told() {
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
        let server = Server::start(None, [answer]).await;
        let said = token_at(&server, &[]).await;
        assert!(said.contains(reason), "{said}");
        assert!(!said.contains("eyJ"), "{said}");
    }
}

#[tokio::test]
async fn an_endpoint_that_is_gone_is_named() {
    let said = first_token(&[
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
async fn who_is_signed_in_with_the_tools_gives_tokens() {
    use std::os::unix::fs::PermissionsExt;

    let folder = env::temp_dir().join(format!("spillover-tools-{}", process::id()));
    fs::create_dir_all(&folder).unwrap();
    let path = format!("{}:/usr/bin:/bin", folder.display());
    let variables = [("PATH", &*path), ("AZURE_TOKEN_CREDENTIALS", "dev")];
    let neither = first_token(&variables).await;
    assert_eq!(
        neither,
        "az: az not found on PATH; azd: azd not found on PATH"
    );

    let az = folder.join("az");
    let says = r#"{"accessToken":"mine","expires_on":4102444800,"tokenType":"Bearer"}"#;
    fs::write(&az, format!("#!/bin/sh\n[ \"$6\" = https://cognitiveservices.azure.com/.default ] && echo '{says}'\n"))
        .unwrap();
    fs::set_permissions(&az, fs::Permissions::from_mode(0o755)).unwrap();
    let mine = first_token(&variables).await;
    let _ = fs::remove_dir_all(&folder);
    assert_eq!(mine, "Bearer mine");
}
