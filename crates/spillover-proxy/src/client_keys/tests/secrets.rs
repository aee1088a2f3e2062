//! Nothing that is printed has a key or its hash.

use spillover_testing::CapturedLog;
use tracing::Level;

use super::*;
use crate::{Progress, access_log::AccessLogLayer};

const SECRET: &str = "s3cret-value";

fn assert_kept(text: &str) {
    let sha256: [u8; 32] = Sha256::digest(SECRET).into();
    let hex: String = sha256.iter().map(|byte| format!("{byte:02x}")).collect();
    let list = format!("{sha256:?}");
    let list = list.trim_matches(['[', ']']);
    for secret in [SECRET, &hex, list] {
        assert!(!text.contains(secret), "{text}");
    }
}

#[test]
fn debug_shows_no_key_and_no_hash() {
    let config = clients([limited("one", SECRET, 5)]);
    let keys = KeyRing::new(&config);
    let mut request = bearer(SECRET);
    let client = keys.admit(&mut request).unwrap();
    let layer = ClientKeysLayer::new(Arc::clone(&keys));
    let text = format!(
        "{config:?} {keys:?} {client:?} {layer:?} {:?} {:?}",
        layer.layer(()),
        keys.snapshot()
    );
    assert!(
        text.contains("one") && text.contains("5 per minute"),
        "{text}"
    );
    assert_kept(&text);
}

#[tokio::test(start_paused = true)]
async fn access_log_names_the_client_and_keeps_its_key() {
    let (log, guard) = CapturedLog::start(Level::TRACE);
    let keys = KeyRing::new(&clients([limited("one", SECRET, 2)]));
    let inner: Probe<(), Full<Bytes>, Infallible> = Probe::new(|request: Request<()>| async move {
        let progress = request.extensions().get::<Progress>().unwrap();
        progress.set_pool(&"chat".into());
        Ok(Response::default())
    });
    let service = AccessLogLayer::new().layer(ClientKeysLayer::new(keys).layer(inner));
    let in_query = Request::get(format!("/x?key={SECRET}")).body(()).unwrap();
    let wrong = format!("{SECRET}-no");
    for request in [bearer(SECRET), in_query, bearer(SECRET), bearer(&wrong)] {
        let Ok(response) = service.clone().oneshot(request).await;
        drop(response);
    }
    drop(guard);

    let text = log.text();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 4, "{text}");
    let served = r#"status=200 client="one" pool="chat""#;
    assert!(
        lines[0].contains(served) && lines[1].contains(served),
        "{text}"
    );
    assert!(
        lines[2].contains(r#"status=429 client="one" attempts"#),
        "{text}"
    );
    assert!(lines[3].contains("status=401 attempts"), "{text}");
    assert_kept(&text);
}
