//! Clients that send slowly, read slowly, or do nothing hold no resources for long.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;
use http::{Request, Response};
use http_body_util::BodyExt;
use hyper_util::client::legacy::connect::HttpConnector;
use spillover_gateway::{App, Settings};
use spillover_serve::{Connections, Listener, RequestBody, Server, Shutdown};
use spillover_tests::e2e::{Client, Serving, Wire, healthy, soon};
use tokio::{
    runtime,
    sync::{mpsc, oneshot},
    time::{Instant, sleep},
};
use tower_spillover::{Backend, Pool, select::WhenExhausted};

/// A short timeout that is still longer than the pauses of a busy machine.
const SHORT: Duration = Duration::from_millis(400);

const GET: &str = "GET / HTTP/1.1\r\nhost: gateway\r\n\r\n";
const OK: &str = "HTTP/1.1 200 OK\r\n";

/// Answers with the request's body, or with the error of reading it.
async fn echo(request: Request<RequestBody>) -> Response<Body> {
    match request.into_body().collect().await {
        Ok(body) => Response::new(Body::from(body.to_bytes())),
        Err(error) => {
            let response = Response::builder().status(408);
            response.body(Body::from(error.to_string())).unwrap()
        }
    }
}

async fn serving(connections: Connections) -> Serving {
    Serving::start(connections, echo).await
}

fn with(change: impl FnOnce(&mut Connections)) -> Connections {
    let mut connections = Connections::default();
    change(&mut connections);
    connections
}

async fn ask(client: &mut Wire) {
    client.send(GET).await;
    let head = client.read_head().await;
    assert!(head.starts_with(OK), "{head}");
}

#[tokio::test]
async fn incomplete_head_gets_408() {
    let serving = serving(with(|set| set.head_timeout = SHORT)).await;
    let half = "GET / HTTP/1.1\r\nhost:";

    let begun = Instant::now();
    let said = Wire::exchange(serving.address(), half).await;
    assert!(said.starts_with("HTTP/1.1 408 "), "{said}");
    assert!(Instant::now() - begun >= SHORT);

    // The same after a request, at once and after a while.
    for pause in [Duration::ZERO, 2 * SHORT] {
        let mut client = Wire::connect(serving.address()).await;
        ask(&mut client).await;
        sleep(pause).await;
        client.send(half).await;
        let said = client.read_to_end().await;
        assert!(said.starts_with("HTTP/1.1 408 "), "{said}");
    }

    let said = Wire::exchange(serving.address(), &format!("{GET}{half}")).await;
    assert!(said.starts_with(OK), "{said}");
    assert!(said.contains("HTTP/1.1 408 "), "{said}");
}

/// The body came with its head, so the connection continues.
#[tokio::test]
async fn incomplete_head_after_an_unread_body_gets_408() {
    let unread = async |_| Response::new(Body::from("answer"));
    let serving = Serving::start(with(|set| set.head_timeout = SHORT), unread).await;
    let mut client = Wire::connect(serving.address()).await;
    client
        .send("POST / HTTP/1.1\r\nhost: gateway\r\ncontent-length: 4\r\n\r\nbody")
        .await;
    client.read_until("answer").await;
    client.send("GET / HTTP/1.1\r\nhost:").await;
    let said = client.read_to_end().await;
    assert!(said.starts_with("HTTP/1.1 408 "), "{said}");
}

#[tokio::test]
async fn rest_of_an_unread_body_is_no_request() {
    let unread = async |_| Response::new(Body::from("answer"));
    let serving = Serving::start(Connections::default(), unread).await;
    for pause in [Duration::ZERO, 4 * SHORT] {
        let mut client = Wire::connect(serving.address()).await;
        let len = 4 + GET.len();
        let head = format!("POST / HTTP/1.1\r\nhost: gateway\r\ncontent-length: {len}\r\n\r\n");
        client.send(head + "body").await;
        client.read_until("answer").await;
        sleep(pause).await;
        client.try_send(GET).await;
        assert_eq!(client.read_bytes_to_end().await, b"");
    }
}

#[tokio::test]
async fn head_that_comes_byte_by_byte_gets_408() {
    let serving = serving(with(|set| set.head_timeout = SHORT)).await;
    let mut client = Wire::connect(serving.address()).await;
    let told = async {
        let mut bytes = GET.bytes().cycle();
        loop {
            client.send([bytes.next().unwrap()]).await;
            sleep(SHORT / 20).await;
            if client.has_more().await {
                break client.read_head().await;
            }
        }
    };
    // A complete invalid head would end the connection too, but its 34 bytes take longer than the timeout.
    let said = soon(told).await;
    assert!(said.starts_with("HTTP/1.1 408 "), "{said}");
}

#[tokio::test]
async fn head_in_pieces_is_served() {
    let serving = serving(Connections::default()).await;
    let mut client = Wire::connect(serving.address()).await;
    for _ in 0..2 {
        for piece in [
            "P",
            "OST / HT",
            "TP/1.1\r\nhost: g\r\n",
            "content-length: 3\r\n\r\no",
            "n",
            "e",
        ] {
            client.send(piece).await;
            // Longer than it takes for an idle connection to release its buffers.
            sleep(SHORT).await;
        }
        assert!(client.read_head().await.starts_with(OK));
        client.read_until("one").await;
    }
}

#[tokio::test]
async fn heads_have_limits() {
    let limits = with(|set| {
        set.head_fields = 10;
        set.head_bytes = 16 * 1024;
    });
    let serving = serving(limits).await;
    let many = "x: y\r\n".repeat(11);
    let large = format!("x: {}\r\n", "y".repeat(100 * 1024));
    for fields in [many, large] {
        let request = format!("GET / HTTP/1.1\r\n{fields}\r\n");
        let said = Wire::exchange(serving.address(), &request).await;
        assert!(said.starts_with("HTTP/1.1 431 "), "{said}");
    }
}

#[tokio::test]
async fn body_that_stops_coming_is_given_up() {
    let serving = serving(with(|set| set.body_timeout = SHORT)).await;
    let head = "POST / HTTP/1.1\r\nhost: gateway\r\ncontent-length: 10\r\n\r\n";
    for begun in ["", "half"] {
        let said = Wire::exchange(serving.address(), &format!("{head}{begun}")).await;
        assert!(said.starts_with("HTTP/1.1 408 "), "{said}");
        assert!(
            said.ends_with("the client has sent nothing for 0.4 s"),
            "{said}"
        );
    }

    let client = Client::http2(serving.address());
    let stuck = stream::iter([Ok::<_, io::Error>(Bytes::from("half"))]);
    let stuck = futures_util::StreamExt::chain(stuck, stream::pending());
    let answer = client.post("/", Body::from_stream(stuck)).await;
    assert_eq!(answer.status, 408);
}

/// The whole gateway: a slow client does not make the backend fail.
#[tokio::test]
async fn stalled_body_does_not_close_the_backend() {
    let backend = healthy().await;
    let built = Backend::builder("only").url(backend.url()).priority(1);
    let app = App::new(Settings {
        pool: Pool::new([built.build().unwrap()]).unwrap(),
        http_timeout: Duration::from_secs(100),
        when_exhausted: WhenExhausted::Reject,
        expose_backend_url: false,
    });
    let limits = with(|set| set.body_timeout = SHORT);
    let (stop, mut stopped) = mpsc::channel::<()>(1);
    let (tell, address) = oneshot::channel();
    let served = thread::spawn(move || {
        let runtime = runtime::Builder::new_current_thread().enable_all().build();
        runtime.unwrap().block_on(async {
            let listeners = [Listener {
                address: SocketAddr::from(([127, 0, 0, 1], 0)).into(),
                tls: None,
            }];
            let server = Server::bind(&listeners, limits, Shutdown::default());
            let server = server.await.unwrap();
            tell.send(server.addresses().unwrap()[0]).unwrap();
            let service = || app.service_over(HttpConnector::new());
            let stop = async || stopped.recv().await.unwrap_or_default();
            server.run(service, stop).await.unwrap();
        });
    });
    let address = soon(address).await.unwrap();

    let head = "POST /v1/chat/completions HTTP/1.1\r\nhost: g\r\ncontent-length: 10\r\n";
    // A JSON body is read before a backend is chosen.
    for rest in ["\r\nhalf", "content-type: application/json\r\n\r\n{"] {
        let said = Wire::exchange(address, &format!("{head}{rest}")).await;
        assert!(said.starts_with("HTTP/1.1 408 "), "{said}");
        assert!(said.contains(r#""code":"request_timeout""#), "{said}");
    }
    let answer = Client::http1(address)
        .post("/v1/chat/completions", "{}")
        .await;
    assert_eq!((answer.status, answer.backend()), (200, "only"));
    stop.send(()).await.unwrap();
    served.join().unwrap();
}

#[tokio::test]
async fn body_that_comes_slowly_is_waited_for() {
    let serving = serving(with(|set| set.body_timeout = SHORT)).await;
    for client in [
        Client::http1(serving.address()),
        Client::http2(serving.address()),
    ] {
        let slow = stream::unfold(0, |sent| async move {
            sleep(SHORT / 4).await;
            (sent < 12).then(|| (Ok::<_, io::Error>(Bytes::from("x")), sent + 1))
        });
        let answer = client.post("/", Body::from_stream(slow)).await;
        assert_eq!((answer.status, answer.text()), (200, "xxxxxxxxxxxx"));
    }
}

/// Reports when it is dropped.
struct Held(Arc<AtomicUsize>);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

/// Answers with more than any buffer holds.
async fn endless(held: Arc<AtomicUsize>) -> Response<Body> {
    held.fetch_add(1, Relaxed);
    let held = Held(held);
    let chunk = Bytes::from(vec![b'x'; 64 * 1024]);
    let endless = stream::repeat_with(move || {
        let _ = &held;
        Ok::<_, io::Error>(chunk.clone())
    });
    Response::new(Body::from_stream(endless))
}

async fn until(held: &AtomicUsize, count: usize) {
    soon(async {
        while held.load(Relaxed) != count {
            sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn client_that_does_not_read_loses_its_connection() {
    let held = Arc::new(AtomicUsize::new(0));
    let limits = with(|set| set.write_timeout = SHORT);
    let shared = Arc::clone(&held);
    let serving = Serving::start(limits, move |_| endless(Arc::clone(&shared))).await;

    let mut client = Wire::connect(serving.address()).await;
    client.send(GET).await;
    until(&held, 1).await;
    until(&held, 0).await;

    // HTTP/2: settings with the largest window, the same for the connection, and a request. Then a window that never
    // opens again, on a socket that takes all that fits.
    let settings: [&[u8]; 2] = [
        b"\0\0\x06\x04\0\0\0\0\0\0\x04\x7f\xff\xff\xff\0\0\x04\x08\0\0\0\0\0\x7f\0\0\0",
        b"\0\0\0\x04\0\0\0\0\0",
    ];
    for settings in settings {
        let mut client = Wire::connect(serving.address()).await;
        client.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
        client.send(settings).await;
        client
            .send(b"\0\0\x06\x01\x05\0\0\0\x01\x82\x86\x84\x41\x01g")
            .await;
        until(&held, 1).await;
        until(&held, 0).await;
    }
}

#[tokio::test]
async fn client_that_reads_slowly_keeps_its_connection() {
    let held = Arc::new(AtomicUsize::new(0));
    let limits = with(|set| set.write_timeout = 2 * SHORT);
    let shared = Arc::clone(&held);
    let serving = Serving::start(limits, move |_| endless(Arc::clone(&shared))).await;

    let mut client = Wire::connect(serving.address()).await;
    client.send(GET).await;
    until(&held, 1).await;
    let begun = Instant::now();
    while Instant::now() - begun < 8 * SHORT {
        client.read_some(4 << 20).await;
        sleep(SHORT / 4).await;
    }
    assert_eq!(held.load(Relaxed), 1);
}

#[tokio::test]
async fn connection_without_a_request_ends() {
    let serving = serving(with(|set| set.idle_timeout = SHORT)).await;
    assert_eq!(Wire::exchange(serving.address(), "").await, "");
    let mut client = Wire::connect(serving.address()).await;
    ask(&mut client).await;
    assert_eq!(client.read_to_end().await, "");

    let mut client = Wire::connect(serving.address()).await;
    client
        .send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0")
        .await;
    client.read_bytes_to_end().await;
}

#[tokio::test]
async fn connection_that_was_asleep_serves_on() {
    let serving = serving(Connections::default()).await;
    let mut client = Wire::connect(serving.address()).await;
    for _ in 0..3 {
        ask(&mut client).await;
        sleep(2 * SHORT).await;
        // Two requests at a time.
        client.send(format!("{GET}{GET}")).await;
        for _ in 0..2 {
            assert!(client.read_head().await.starts_with(OK));
        }
        sleep(2 * SHORT).await;
        let body = "x".repeat(100_000);
        let request = format!("POST / HTTP/1.1\r\nhost: g\r\ncontent-length: 100000\r\n\r\n{body}");
        client.send(request).await;
        assert!(client.read_head().await.starts_with(OK));
        client.read_until(&body).await;
    }
}

/// The rest of a body is never taken for a request, however the body ended.
#[tokio::test]
async fn rest_of_a_body_is_no_request() {
    for is_kept in [false, true] {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let requests = Arc::clone(&seen);
        let answer = move |request: Request<RequestBody>| {
            requests.lock().unwrap().push(is_kept.then_some(request));
            async { Response::new(Body::from("answer")) }
        };
        let limits = with(|set| set.idle_timeout = 4 * SHORT);
        let serving = Serving::start(limits, answer).await;
        let mut client = Wire::connect(serving.address()).await;
        let head = "POST / HTTP/1.1\r\nhost: gateway\r\ncontent-length: 500000\r\n\r\n";
        client.send(format!("{head}{}", "x".repeat(1_000))).await;
        assert!(client.read_head().await.starts_with(OK));
        sleep(2 * SHORT).await;
        client.try_send(GET).await;
        let rest = client.read_bytes_to_end().await;
        assert_eq!(String::from_utf8_lossy(&rest), "answer");
        assert_eq!(seen.lock().unwrap().len(), 1);
    }
}

/// Closing with unread bytes of the request would reset the connection.
#[tokio::test]
async fn answer_before_the_end_of_the_body_arrives() {
    let answer = |request: Request<RequestBody>| async {
        sleep(SHORT).await;
        drop(request);
        let response = Response::builder().status(401);
        response.body(Body::from("who are you?")).unwrap()
    };
    let serving = Serving::start(Connections::default(), answer).await;
    let mut client = Wire::connect(serving.address()).await;
    let head = "POST / HTTP/1.1\r\nhost: gateway\r\ncontent-length: 500000\r\n\r\n";
    client.send(head).await;
    // More than the gateway reads of it, and less than the sockets hold; and more of it after the answer.
    client.send("x".repeat(300_000)).await;
    sleep(2 * SHORT).await;
    client.send("x".repeat(100_000)).await;
    let said = client.read_to_end().await;
    assert!(said.starts_with("HTTP/1.1 401 "), "{said}");
    assert!(said.ends_with("who are you?"), "{said}");
}

#[tokio::test]
async fn connections_are_limited() {
    let serving = serving(with(|set| set.max = 2)).await;
    let mut first = Wire::connect(serving.address()).await;
    let mut second = Wire::connect(serving.address()).await;
    ask(&mut first).await;
    ask(&mut second).await;

    let mut waiting = Vec::new();
    for _ in 0..4 {
        let mut client = Wire::connect(serving.address()).await;
        client.send(GET).await;
        waiting.push(client);
    }
    sleep(SHORT).await;
    for client in &mut waiting {
        assert!(!client.has_more().await);
    }
    drop((first, second));
    for mut client in waiting {
        assert!(client.read_head().await.starts_with(OK));
    }
}
