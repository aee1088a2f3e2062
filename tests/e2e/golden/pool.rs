//! The answers to requests that no backend of a pool served, in the error format of each client.

use bytes::Bytes;
use http::Response;
use spillover_testing::{
    MockUpstream,
    coding::encoded,
    upstream::{Behavior, Provider},
};
use spillover_tests::{
    e2e::{
        Gateway, GatewayBuilder, RefusingPort, Wire, WireUpstream, answer, backend, behaving, json,
        pool, request, soon, with,
    },
    gateway,
};

use super::{
    entry::add_formats,
    file::{Golden, mask},
};

const CHAT: &str = "/v1/chat/completions";

/// Sets up a gateway in front of these backends, each of which gets a key of the gateway.
fn in_front_of(backends: &[MockUpstream]) -> GatewayBuilder {
    (1..)
        .zip(backends)
        .fold(gateway!(), |gateway, (priority, backend)| {
            let label = priority.to_string();
            let gateway = gateway.key(&label, "key-of-the-gateway");
            gateway.backend(&label, priority, backend.url())
        })
}

#[tokio::test]
async fn exhausted_pool_answers_as_before() {
    let mut golden = Golden::new("refused_by_exhausted_pool.txt");
    let wait = [("retry-after", "40")];
    for (status, fields) in [
        (429, &wait[..]),
        (402, &[]),
        (529, &wait),
        (503, &wait),
        (500, &[]),
    ] {
        let backends = [behaving(answer(status, fields)).await];
        let gateway = in_front_of(&backends)
            .env("WHEN_EXHAUSTED", "reject")
            .start()
            .await;
        let title = format!("backend answers {status} {fields:?}");
        golden.add_answer(
            &format!("{title}, first request"),
            &gateway.send(json(CHAT, "{}")).await,
        );
        add_formats(
            &mut golden,
            &format!("{title}, later request"),
            &gateway,
            || json(CHAT, "{}"),
        )
        .await;
    }
    for when_exhausted in ["reject", "wait:50ms", "forward"] {
        let busy = WireUpstream::bind().await;
        let rest =
            format!("when_exhausted = \"{when_exhausted}\"\ntimeouts.response_head = \"30s\"");
        let text = pool("busy", &rest) + &backend("busy", &busy.url(), "max_concurrency = 1");
        let gateway = gateway!().config(&text).start().await;
        let _held = busy.begin(gateway.address()).await;
        if when_exhausted == "forward" {
            // The request is sent to the full backend all the same, or refused.
            let (answer, ()) = tokio::join!(gateway.send(json(CHAT, "{}")), async {
                let serve = async {
                    let mut wire = busy.accept().await;
                    wire.read_head().await;
                    wire.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
                        .await;
                    // The connection stays open until the answer was read.
                    std::future::pending::<()>().await;
                };
                let _ = tokio::time::timeout(std::time::Duration::from_millis(500), serve).await;
            });
            golden.add_answer("busy backend, forward", &answer);
        } else {
            let title = format!("busy backend, {when_exhausted}");
            add_formats(&mut golden, &title, &gateway, || json(CHAT, "{}")).await;
        }
    }
    golden.assert();
}

#[tokio::test]
async fn mixed_refusals_are_answered_as_before() {
    let mut golden = Golden::new("refused_by_backends.txt");
    let throttled = (429, &[("retry-after", "40")][..]);
    let statuses = [401, 402, 403, 404, 413, 429, 500, 503];
    let single = statuses.map(|status| vec![(status, &[][..])]);
    let overloaded = (529, &[("retry-after", "40")][..]);
    let mixed = [401, 402, 500].map(|status| [throttled, (status, &[][..])]);
    let mixed = mixed
        .into_iter()
        .chain([[overloaded, (401, &[])], [(401, &[]), throttled]]);
    for refusals in single.into_iter().chain(mixed.map(Vec::from)) {
        for format in ["OpenAI", "Anthropic", "gRPC"] {
            let mut backends = Vec::new();
            for (status, fields) in &refusals {
                backends.push(behaving(answer(*status, fields)).await);
            }
            let gateway = in_front_of(&backends).start().await;
            let request = match format {
                "OpenAI" => json(CHAT, "{}"),
                "Anthropic" => json("/v1/messages", "{}"),
                _ => with(
                    request("POST", "/pkg.Service/Method", ""),
                    "content-type",
                    "application/grpc",
                ),
            };
            let statuses: Vec<_> = refusals.iter().map(|(status, _)| status).collect();
            golden.add_answer(
                &format!("backends answer {statuses:?}, {format}"),
                &gateway.send(request).await,
            );
        }
    }
    golden.assert();
}

/// A stream of events with this text.
fn events(text: &'static str) -> Behavior {
    let response = Response::builder().header("content-type", "text/event-stream");
    Behavior::respond(response.body(Bytes::from(text)).expect("a response"))
}

const ERROR: &str = "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n";
const START: &str = "event: message_start\ndata: {\"type\":\"message_start\"}\n\n";

async fn add_behavior(golden: &mut Golden, title: &str, behavior: Behavior, rest: &str) {
    let mock = behaving(behavior).await;
    let text = pool("only", rest) + &backend("only", &mock.url(), "");
    let gateway = gateway!().config(&text).start().await;
    add_formats(golden, title, &gateway, || json(CHAT, "{}")).await;
}

#[tokio::test]
async fn failed_backends_are_answered_as_before() {
    let mut golden = Golden::new("failed_backends.txt");
    let refusing = RefusingPort::bind();
    let gateway = gateway!().backend("gone", 1, refusing.url()).start().await;
    add_formats(&mut golden, "no connection", &gateway, || json(CHAT, "{}")).await;
    for (title, behavior, rest) in [
        ("connection reset", Behavior::reset(), ""),
        ("head cut off", Behavior::cut_head(), ""),
        (
            "no head in time",
            Behavior::stall(),
            "timeouts.response_head = \"200ms\"",
        ),
        ("stream with an error before its content", events(ERROR), ""),
        ("stream that ends before its content", events(START), ""),
    ] {
        add_behavior(&mut golden, title, behavior, rest).await;
    }

    // The message has the time that was left when the attempt began.
    let stalled = behaving(Behavior::stall()).await;
    let text = pool("only", "timeouts.total = \"200ms\"") + &backend("only", &stalled.url(), "");
    let gateway = gateway!().config(&text).start().await;
    let answer = gateway.send(json(CHAT, "{}")).await;
    golden.add(
        "no head in total",
        &mask(answer.text(), &["did not answer within "]),
    );

    let switching = WireUpstream::bind().await;
    let gateway = gateway!()
        .backend("switching", 1, switching.url())
        .start()
        .await;
    let (answer, _server) = tokio::join!(gateway.get("/v1/models"), async {
        let mut server = switching.accept().await;
        server.read_head().await;
        server
            .send("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n")
            .await;
        server
    });
    golden.add_answer("switch of protocols that was not asked for", &answer);

    let late = WireUpstream::bind().await;
    let text = pool("only", "timeouts.total = \"300ms\"") + &backend("only", &late.url(), "");
    let gateway = gateway!().config(&text).start().await;
    let (answer, _server) = tokio::join!(gateway.get("/v1/models"), async {
        let mut server = late.accept().await;
        server.read_head().await;
        server
            .send(
                "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 20\r\n\r\n",
            )
            .await;
        server
    });
    golden.add_answer("stream whose content does not come in total", &answer);
    golden.assert();
}

/// Starts a gateway whose only backend speaks OpenAI's form of the API.
async fn openai() -> (Gateway, MockUpstream) {
    let mock = MockUpstream::builder()
        .provider(Provider::OpenAi)
        .start()
        .await;
    let mock = mock.expect("a free port");
    let gateway = in_front_of(std::slice::from_ref(&mock)).env("BACKEND_1_KIND", "openai");
    (gateway.start().await, mock)
}

#[tokio::test]
async fn requests_that_no_backend_understands_are_refused_as_before() {
    let mut golden = Golden::new("refused_by_kind.txt");
    let (gateway, _mock) = openai().await;
    let deployment = "/openai/deployments/d/chat/completions?api-version=1";
    let unknown = "/openai/deployments/d/extensions/chat/completions?api-version=1";
    add_formats(&mut golden, "no such path", &gateway, || {
        json(unknown, r#"{"messages":[]}"#)
    })
    .await;
    let text = || {
        with(
            request("POST", deployment, "text"),
            "content-type",
            "text/plain",
        )
    };
    add_formats(&mut golden, "no place for the model", &gateway, text).await;
    let compress = || with(json(deployment, "text"), "content-encoding", "compress");
    add_formats(
        &mut golden,
        "model in an unknown coding",
        &gateway,
        compress,
    )
    .await;
    let coded = || {
        with(
            json(deployment, encoded("gzip", "{")),
            "content-encoding",
            "zstd",
        )
    };
    add_formats(&mut golden, "model not in its coding", &gateway, coded).await;

    let refusing = RefusingPort::bind();
    let gateway = gateway!()
        .env("BACKEND_1_AUTH", "entra")
        .backend("1", 1, "http://127.0.0.1:9");
    let endpoint = format!("{}/msi/token", refusing.url());
    let gateway = gateway.envs([
        ("IDENTITY_ENDPOINT", &*endpoint),
        ("IDENTITY_HEADER", "secret"),
    ]);
    let gateway = gateway.start().await;
    add_formats(&mut golden, "no token of Entra ID", &gateway, || {
        json(CHAT, "{}")
    })
    .await;
    golden.assert();
}

#[tokio::test]
async fn upgrades_are_refused_as_before() {
    let mut golden = Golden::new("refused_upgrades.txt");
    let mock = behaving(answer(429, &[("retry-after", "40")])).await;
    let gateway = gateway!()
        .backend("only", 1, mock.url())
        .env("WHEN_EXHAUSTED", "reject");
    let gateway = gateway.start().await;
    let handshake = "GET /v1/realtime?model=gpt-realtime HTTP/1.1\r\nhost: gateway\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
        sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    for title in ["backend refuses", "pool is exhausted"] {
        let mut client = Wire::connect(gateway.address()).await;
        client.send(handshake).await;
        let head = soon(client.read_head()).await;
        let body = client.read_until("}}").await;
        golden.add_bytes(title, &(head + &body));
    }
    golden.assert();
}
