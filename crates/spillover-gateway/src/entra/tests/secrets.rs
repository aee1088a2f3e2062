use super::fake::{Answer, Script, minutes, seconds};
use crate::entra::{Failure, Fresh, Identity};

const TOKEN: &str =
    "eyJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJodHRwczovL2NvZ25pdGl2ZXNlcnZpY2VzIn0.c2lnbmF0dXJl";

#[test]
fn failure_has_no_secret() {
    let secret = "abc8Q~DeFgHiJkLmNoPqRsTuVwXyZ0123456789a";
    assert_eq!(secret.len(), 40);
    for (said, kept) in [
        (format!("bad token {TOKEN} here"), "bad token [...] here"),
        (
            format!("{{\"access_token\":\"{TOKEN}\"}}"),
            "{\"access_token\":\"[...]\"}",
        ),
        (format!("client_secret={secret}&scope=x"), "[...]&scope=x"),
        (TOKEN.to_owned(), "[...]"),
    ] {
        assert_eq!(Failure::new(said).to_string(), kept);
    }
}

#[test]
fn failure_is_one_short_line_with_its_identifiers() {
    let said = "AADSTS700016: Application with identifier '7b795fb9-09d3-42f4-a494-38864f99ba3c'\r\n was not found";
    let kept = "AADSTS700016: Application with identifier '7b795fb9-09d3-42f4-a494-38864f99ba3c' was not found";
    assert_eq!(Failure::new(said).to_string(), kept);
    let long = Failure::new("w\u{f6}rd ".repeat(1000)).to_string();
    assert_eq!(long.chars().count(), 403);
}

#[tokio::test(start_paused = true)]
async fn debug_shows_no_token() {
    let tokens = Script::new([Answer::Exactly(TOKEN, minutes(60))]).tokens();
    tokens.first(seconds(5)).await.unwrap();
    let bearer = tokens.bearer().unwrap();
    let fresh = Fresh::new(TOKEN, minutes(60), "fake");
    let shown = format!("{tokens:?} {:?} {bearer:?} {fresh:?}", tokens.status());
    assert!(shown.contains("fake") && !shown.contains("eyJ"), "{shown}");
}

#[test]
fn debug_shows_no_client_secret() {
    let identity = Identity::find(|name| {
        Some(match name {
            "AZURE_CLIENT_SECRET" => "hush".to_owned(),
            "AZURE_TOKEN_CREDENTIALS" => "prod".to_owned(),
            "AZURE_AUTHORITY_HOST" => "https://login.microsoftonline.us".to_owned(),
            _ => "id".to_owned(),
        })
    });
    let shown = format!("{:?}", identity.unwrap());
    assert!(
        shown.contains("client secret") && !shown.contains("hush"),
        "{shown}"
    );
}
