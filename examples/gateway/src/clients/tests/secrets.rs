//! Nothing that is printed has a key or its hash.

use std::io;

use tracing_subscriber::{EnvFilter, fmt::MakeWriter};

use super::*;
use crate::access_log::{AccessLogLayer, Progress};

const SECRET: &str = "s3cret-value";

/// What a subscriber wrote.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Written {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl io::Write for Written {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(data);
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Written {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

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
    let layer = ClientsLayer::new(Arc::clone(&keys));
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
async fn the_access_log_names_the_client_and_keeps_its_key() {
    let written = Written::default();
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new("trace"))
        .with_writer(written.clone())
        .with_ansi(false)
        .finish();
    let logging = tracing::subscriber::set_default(subscriber);

    let keys = KeyRing::new(&clients([limited("one", SECRET, 2)]));
    let inner: Probe<(), Full<Bytes>, Infallible> = Probe::new(|request: Request<()>| async move {
        let progress = request.extensions().get::<Progress>().unwrap();
        progress.note_pool(&"chat".into());
        Ok(Response::default())
    });
    let service = AccessLogLayer::new().layer(ClientsLayer::new(keys).layer(inner));
    let in_query = Request::get(format!("/x?key={SECRET}")).body(()).unwrap();
    let wrong = format!("{SECRET}-no");
    for request in [bearer(SECRET), in_query, bearer(SECRET), bearer(&wrong)] {
        let Ok(response) = service.clone().oneshot(request).await;
        drop(response);
    }
    drop(logging);

    let text = written.text();
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
