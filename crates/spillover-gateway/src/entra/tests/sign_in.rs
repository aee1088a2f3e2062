//! Tests of identities that sign in at Entra ID over TLS.
//! <https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow>

use std::{env, fs, process, sync::Arc};

use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use rcgen::CertifiedKey;
use rustls::{ClientConfig, RootCertStore, ServerConfig, crypto::ring};
use spillover_testing::CapturedLog;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tracing::Level;

use super::{
    fake::seconds,
    server::{Server, entra_token},
};
use crate::entra::{
    Identity, SCOPE, Source, Tokens,
    candidate::{Candidate, Candidates},
    transport::Transport,
};

/// A mock of Entra ID, and a client that trusts its certificate.
struct Cloud {
    server: Server,
    trust: RootCertStore,
}

impl Cloud {
    async fn start(answers: impl IntoIterator<Item = (u16, String)>) -> Self {
        let names = ["127.0.0.1".to_owned()];
        let CertifiedKey { cert, signing_key } = rcgen::generate_simple_self_signed(names).unwrap();
        let mut trust = RootCertStore::empty();
        trust.add(cert.der().clone()).unwrap();
        let config = ServerConfig::builder_with_provider(ring::default_provider().into())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], signing_key.into())
            .unwrap();
        let tls = TlsAcceptor::from(Arc::new(config));
        Self {
            server: Server::start(tls, answers).await,
            trust,
        }
    }

    fn sign_in(&self, variables: &[(&str, &str)]) -> Tokens {
        let host = format!("https://{}", self.server.address());
        let identity = Identity::find(|name| {
            let mut all = [IDS, &[("AZURE_AUTHORITY_HOST", &*host)], variables]
                .concat()
                .into_iter();
            all.find(|variable| variable.0 == name)
                .map(|variable| variable.1.to_owned())
        });
        let source = identity
            .unwrap()
            .source_over(SCOPE.to_owned(), self.connector());
        Tokens::start(source, || 0)
    }

    fn connector(&self) -> HttpsConnector<HttpConnector> {
        let config = ClientConfig::builder_with_provider(ring::default_provider().into())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(self.trust.clone())
            .with_no_client_auth();
        HttpsConnectorBuilder::new()
            .with_tls_config(config)
            .https_only()
            .enable_all_versions()
            .build()
    }
}

async fn reason(tokens: &Tokens) -> String {
    while tokens.status().failures == 0 {
        sleep(seconds(1) / 100).await;
    }
    tokens.status().last_error.unwrap().to_string()
}

#[tokio::test]
async fn client_secret_is_sent_to_the_authority() {
    let cloud = Cloud::start([entra_token("secretly", 3599)]).await;
    let tokens = cloud.sign_in(&[("AZURE_CLIENT_SECRET", "hu~sh")]);
    tokens.first(seconds(30)).await.unwrap();
    assert_eq!(tokens.bearer().unwrap(), "Bearer secretly");
    assert_eq!(tokens.status().source, Some("client secret"));

    let seen = cloud.server.seen();
    assert_eq!(seen[0].line, "POST /tenant/oauth2/v2.0/token");
    assert_eq!(
        seen[0].body,
        "client_id=client&client_secret=hu%7Esh&grant_type=client_credentials\
         &scope=https%3A%2F%2Fcognitiveservices.azure.com%2F.default"
    );
}

#[tokio::test]
async fn log_has_no_secret_at_any_level() {
    let (log, _guard) = CapturedLog::start(Level::TRACE);
    let cloud = Cloud::start([
        (400, r#"{"error":"invalid_client"}"#.to_owned()),
        entra_token("secretly", 3599),
    ])
    .await;
    let tokens = cloud.sign_in(&[("AZURE_CLIENT_SECRET", "hu~sh")]);
    tokens.first(seconds(30)).await.unwrap();
    assert!(log.count(&["DEBUG", "/tenant/oauth2/v2.0/token"]) > 0);
    for secret in ["hu~sh", "hu%7Esh", "secretly"] {
        assert_eq!(log.count(&[secret]), 0, "{secret}");
    }
}

#[tokio::test]
async fn explanation_of_entra_id_is_in_the_error() {
    let body = r#"{"error":"invalid_client","error_description":"AADSTS7000215: Invalid client secret provided.\r\nTrace ID: 1","error_codes":[7000215]}"#;
    let cloud = Cloud::start([(401, body.to_owned())]).await;
    let tokens = cloud.sign_in(&[("AZURE_CLIENT_SECRET", "hush")]);
    let reason = reason(&tokens).await;
    let expected = "/tenant/oauth2/v2.0/token answered 401 Unauthorized: AADSTS7000215: Invalid client secret provided. \
                    Trace ID: 1";
    assert!(
        reason.starts_with("client secret: https://127.0.0.1:"),
        "{reason}"
    );
    assert!(reason.ends_with(expected), "{reason}");
}

#[tokio::test]
async fn nothing_is_sent_to_an_untrusted_server() {
    let mut cloud = Cloud::start([entra_token("stolen", 3599)]).await;
    cloud.trust = RootCertStore::empty();
    let tokens = cloud.sign_in(&[("AZURE_CLIENT_SECRET", "hush")]);
    let reason = reason(&tokens).await;
    assert!(
        reason.contains("/tenant/oauth2/v2.0/token cannot be reached: "),
        "{reason}"
    );
    assert!(reason.contains("certificate"), "{reason}");
    assert!(cloud.server.seen().is_empty());
}

#[tokio::test]
async fn workload_identity_sends_its_file_as_soon_as_it_exists() {
    let cloud = Cloud::start([entra_token("federated", 3599)]).await;
    let file = env::temp_dir().join(format!("spillover-federated-{}", process::id()));
    let tokens = cloud.sign_in(&[("AZURE_FEDERATED_TOKEN_FILE", file.to_str().unwrap())]);
    let reason = reason(&tokens).await;
    assert!(
        reason.starts_with("workload identity: failed to read federated token"),
        "{reason}"
    );

    fs::write(&file, "assertion").unwrap();
    let came = tokens.first(seconds(30)).await;
    let _ = fs::remove_file(&file);
    came.unwrap();
    assert_eq!(tokens.bearer().unwrap(), "Bearer federated");
    let body = cloud.server.seen()[0].body.clone();
    assert!(body.starts_with("client_assertion=assertion&"), "{body}");
}

#[tokio::test]
async fn short_token_is_replaced() {
    let cloud = Cloud::start([entra_token("short", 2), entra_token("next", 3599)]).await;
    let tokens = cloud.sign_in(&[("AZURE_CLIENT_SECRET", "hush")]);
    let is_next = || tokens.bearer().is_ok_and(|bearer| bearer == "Bearer next");
    let next = async {
        while !is_next() {
            sleep(seconds(1) / 100).await;
        }
    };
    timeout(seconds(30), next).await.unwrap();
}

#[tokio::test]
async fn identity_that_gave_a_token_is_used_from_then_on() {
    let cloud = Cloud::start([entra_token("t", 1), (500, "down".to_owned())]).await;
    let (tenant, client) = ("tenant".to_owned(), "client".to_owned());
    let candidates = vec![
        Candidate::Workload {
            tenant: tenant.clone(),
            client: client.clone(),
            file: "/nowhere/token".into(),
        },
        Candidate::ClientSecret {
            tenant,
            client,
            secret: "hush".to_owned(),
        },
    ];
    let transport = Arc::new(Transport::new(cloud.connector()));
    let authority = format!("https://{}", cloud.server.address());
    let mut source = Candidates::new(candidates, SCOPE.to_owned(), transport, Some(authority));
    assert_eq!(source.token().await.unwrap().source, "client secret");

    let reason = source.token().await.unwrap_err().to_string();
    assert!(reason.starts_with("client secret: "), "{reason}");
    assert!(!reason.contains("workload"), "{reason}");
}

const IDS: &[(&str, &str)] = &[("AZURE_TENANT_ID", "tenant"), ("AZURE_CLIENT_ID", "client")];
