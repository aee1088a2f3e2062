//! Tests over a socket, with the layers around.

use std::{io, net::SocketAddr, thread};

use http::{HeaderValue, header::ORIGIN};
use hyper_util::{client::legacy::Client as HttpClient, rt::TokioExecutor};
use spillover_serve::{Connections, Listener, Server, Shutdown, one_thread};
use tokio::sync::{mpsc, oneshot};
use tower::{ServiceBuilder, service_fn};

use super::*;
use crate::{
    access_log::AccessLogLayer,
    cors::{AllowedOrigins, CorsLayer},
};

/// A server that echoes the request as it arrives behind the layers.
struct Served {
    address: SocketAddr,
    stop: mpsc::Sender<()>,
    ended: oneshot::Receiver<io::Result<()>>,
}

impl Served {
    async fn start(keys: &[ClientKey], origins: Option<&AllowedOrigins>) -> Self {
        let service = ServiceBuilder::new()
            .layer(AccessLogLayer::new())
            .layer(CorsLayer::new(origins))
            .layer(ClientKeysLayer::new(KeyRing::new(keys)))
            .service(service_fn(|request: Request<_>| async move {
                let client = request.extensions().get::<Client>();
                let client = client.map_or_else(|| "nobody".into(), |client| client.name().clone());
                let text = format!("{client} {} {:?}", request.uri(), request.headers());
                Ok(Response::new(Full::new(Bytes::from(text))))
            }));
        let (stop, mut stopped) = mpsc::channel(1);
        let (begin, begun) = oneshot::channel();
        let (end, ended) = oneshot::channel();
        let dispatch = tracing::dispatcher::get_default(Clone::clone);
        thread::spawn(move || {
            let serve = async {
                let listener = Listener {
                    address: SocketAddr::from(([127, 0, 0, 1], 0)).into(),
                    tls: None,
                };
                let (limits, shutdown) = (Connections::default(), Shutdown::default());
                let server = Server::bind(&[listener], limits, shutdown).await.unwrap();
                let _ = begin.send(server.addresses().unwrap()[0]);
                let stop = async || stopped.recv().await.unwrap_or_default();
                server.run(|| service.clone(), stop).await
            };
            let _log = tracing::dispatcher::set_default(&dispatch);
            let _ = end.send(one_thread().unwrap().block_on(serve));
        });
        Self {
            address: begun.await.unwrap(),
            stop,
            ended,
        }
    }

    async fn send(&self, mut request: Request<()>) -> Response<String> {
        let target = format!("http://{}{}", self.address, request.uri());
        *request.uri_mut() = target.parse().unwrap();
        let client = HttpClient::builder(TokioExecutor::new()).build_http();
        let request = request.map(|()| Full::<Bytes>::default());
        let (head, body) = client.request(request).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Response::from_parts(head, String::from_utf8(body.into()).unwrap())
    }

    async fn stop(self) {
        self.stop.send(()).await.unwrap();
        self.ended.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn client_is_admitted_refused_and_limited() {
    let served = Served::start(&clients([limited("one", "k1", 1)]), None).await;
    let answer = served.send(bearer("k1")).await;
    assert_eq!(answer.status(), 200);
    assert!(
        answer.body().starts_with("one /v1/chat/completions "),
        "{answer:?}"
    );
    assert!(!answer.body().contains("k1"), "{answer:?}");

    assert_eq!(served.send(bearer("k1")).await.status(), 429);
    let refused = served.send(bearer("wrong")).await;
    assert_eq!(refused.status(), 401);
    assert!(
        refused.headers()["www-authenticate"]
            .to_str()
            .unwrap()
            .starts_with("Bearer ")
    );
    assert!(refused.body().contains("invalid_api_key"), "{refused:?}");
    served.stop().await;
}

#[tokio::test]
async fn page_can_read_every_response() {
    let page = HeaderValue::from_static("https://page.example");
    let origins = AllowedOrigins::List(vec![page]);
    let keys = clients([limited("one", "k1", 1)]);
    let served = Served::start(&keys, Some(&origins)).await;
    let from_page = |mut request: Request<()>| {
        let origin = "https://page.example".parse().unwrap();
        request.headers_mut().insert(ORIGIN, origin);
        request
    };
    let preflight = Request::options("/v1/chat/completions")
        .header("access-control-request-method", "POST")
        .header(
            "access-control-request-headers",
            "authorization,content-type",
        );
    let answers = [
        served.send(from_page(preflight.body(()).unwrap())).await,
        served.send(from_page(bearer("k1"))).await,
        served.send(from_page(bearer("k1"))).await,
        served.send(from_page(bearer("wrong"))).await,
    ];
    assert_eq!(
        answers.each_ref().map(|answer| answer.status().as_u16()),
        [204, 200, 429, 401]
    );
    for answer in answers {
        assert_eq!(
            answer.headers()["access-control-allow-origin"],
            "https://page.example"
        );
    }
    served.stop().await;
}

#[tokio::test]
async fn without_keys_and_origins_requests_pass_unchanged() {
    let served = Served::start(&[], None).await;
    let mut options = Request::options("/x").body(()).unwrap();
    options
        .headers_mut()
        .insert(ORIGIN, "https://page.example".parse().unwrap());
    options
        .headers_mut()
        .insert("access-control-request-method", "POST".parse().unwrap());
    let answer = served.send(options).await;
    assert_eq!(answer.status(), 200);
    assert!(answer.body().starts_with("nobody /x "), "{answer:?}");
    assert!(!answer.headers().contains_key("vary"));
    assert!(!answer.headers().contains_key("access-control-allow-origin"));
    served.stop().await;
}
