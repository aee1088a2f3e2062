//! Uploads of any size stream: the gateway keeps only what another attempt may need, and a slow backend slows the
//! client down.

#![cfg(target_os = "linux")]

use std::{
    convert::Infallible,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use axum::{Router, body::Body, extract::Request};
use bytes::Bytes;
use crc32fast::Hasher;
use futures_util::stream;
use http::HeaderValue;
use http_body_util::BodyExt;
use spillover_tests::{
    e2e::{Gateway, GatewayBuilder, healthy, request, soon},
    gateway,
};
use tokio::{net::TcpListener, task::JoinSet, time::sleep};

const MIB: usize = 1 << 20;
const PARTS: usize = 200;

/// The beginning and end of an upload by a browser or an SDK (RFC 7578).
const START: &str = "--xx\r\ncontent-disposition: form-data; name=\"model\"\r\n\r\nwhisper-1\r\n--xx\r\n\
    content-disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\ncontent-type: audio/wav\r\n\r\n";
const END: &str = "\r\n--xx--\r\n";

/// Returns the pieces of the upload, made one by one: START, 200 MiB without repetition, END.
fn pieces() -> impl Iterator<Item = Bytes> {
    let file = (0..PARTS).map(|number| {
        let mut part = NOISE.clone();
        part[..8].copy_from_slice(&number.to_le_bytes());
        Bytes::from(part)
    });
    let start = [Bytes::from(START)].into_iter();
    start.chain(file).chain([Bytes::from(END)])
}

static NOISE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    let mut bytes = Vec::with_capacity(MIB);
    while bytes.len() < MIB {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes
});

static CHECKSUM: LazyLock<String> = LazyLock::new(|| {
    let mut hasher = Hasher::new();
    pieces().for_each(|piece| hasher.update(&piece));
    hasher.finalize().to_string()
});

/// A backend that answers with the checksum of the upload, and takes this long for each MiB.
struct Receiver {
    url: String,
    _serving: JoinSet<()>,
}

impl Receiver {
    async fn start(pause: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("it is bound"));
        let service = Router::new().fallback(async move |request: Request| {
            let mut body = request.into_body();
            let (mut hasher, mut since_pause) = (Hasher::new(), 0);
            while let Some(frame) = body.frame().await {
                let frame = frame.expect("the whole body");
                let data = frame.into_data().expect("no trailers");
                hasher.update(&data);
                since_pause += data.len();
                if since_pause >= MIB {
                    since_pause = 0;
                    sleep(pause).await;
                }
            }
            hasher.finalize().to_string()
        });
        let mut serving = JoinSet::new();
        serving.spawn(async { axum::serve(listener, service).await.expect("it serves") });
        Self {
            url,
            _serving: serving,
        }
    }

    /// Returns a gateway in front of it, with another backend for refused requests.
    fn with_next(&self, next: &str) -> GatewayBuilder {
        let gateway = gateway!().backend("first", 1, &self.url);
        gateway.backend("next", 2, next)
    }
}

/// Uploads, and returns the rise of the gateway's memory in bytes. Counts the pieces as they are taken.
async fn upload(gateway: &Gateway, is_sized: bool, taken: &Arc<AtomicUsize>) -> usize {
    assert_eq!(gateway.get("/").await.status, 200);
    let before = gateway.peak_memory();
    let count = Arc::clone(taken);
    let body = pieces().map(move |piece| {
        count.fetch_add(1, Relaxed);
        Ok::<_, Infallible>(piece)
    });
    let mut request = request(
        "POST",
        "/v1/audio/transcriptions",
        Body::from_stream(stream::iter(body)),
    );
    let multipart = HeaderValue::from_static("multipart/form-data; boundary=xx");
    request.headers_mut().insert("content-type", multipart);
    if is_sized {
        let len = START.len() + PARTS * MIB + END.len();
        let len = HeaderValue::from(len);
        request.headers_mut().insert("content-length", len);
    }
    let answer = gateway.send(request).await;
    assert_eq!((answer.status, answer.backend()), (200, "first"));
    assert_eq!(answer.text(), *CHECKSUM);
    let kib = gateway.peak_memory().saturating_sub(before);
    usize::try_from(kib).expect("a number of KiB") * 1_024
}

#[tokio::test]
async fn upload_announced_as_too_large_is_not_kept() {
    let (receiver, next) = (Receiver::start(Duration::ZERO).await, healthy().await);
    let gateway = receiver.with_next(&next.url()).start().await;
    let risen = upload(&gateway, true, &Arc::default()).await;
    assert!(risen < 16 * MIB, "{risen} bytes more");
}

#[tokio::test]
async fn upload_of_unknown_size_is_kept_up_to_the_limit() {
    let (receiver, next) = (Receiver::start(Duration::ZERO).await, healthy().await);
    let gateway = receiver.with_next(&next.url()).start().await;
    let risen = upload(&gateway, false, &Arc::default()).await;
    // Another attempt would need 32 MiB at most, and nothing more.
    assert!(risen < 64 * MIB, "{risen} bytes more");
}

#[tokio::test]
async fn backend_that_reads_slowly_holds_the_client_back() {
    let receiver = Receiver::start(Duration::from_millis(10)).await;
    let gateway = gateway!().backend("first", 1, &receiver.url).start().await;
    let taken: Arc<AtomicUsize> = Arc::default();
    let watch = async {
        // By now the backend has read a few of 200 MiB, which take it two seconds.
        sleep(Duration::from_millis(100)).await;
        taken.load(Relaxed)
    };
    let (risen, early) = soon(async { tokio::join!(upload(&gateway, true, &taken), watch) }).await;
    assert!(risen < 16 * MIB, "{risen} bytes more");
    assert!(early < PARTS, "all of it was taken at once");
    assert_eq!(taken.load(Relaxed), PARTS + 2);
}
