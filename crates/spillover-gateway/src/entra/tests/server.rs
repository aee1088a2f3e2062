//! A token endpoint on a loopback socket.

use std::{
    collections::VecDeque,
    convert::Infallible,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
};

use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::{
    body::{Bytes, Incoming},
    service::service_fn,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;

/// Gives each answer once, and then repeats the last one.
pub(super) struct Server {
    address: SocketAddr,
    desk: Arc<Desk>,
    _accepting: JoinSet<()>,
}

struct Desk {
    answers: Mutex<VecDeque<(u16, String)>>,
    seen: Mutex<Vec<Seen>>,
}

#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) line: String,
    pub(super) body: String,
}

impl Server {
    pub(super) async fn start(
        tls: TlsAcceptor,
        answers: impl IntoIterator<Item = (u16, String)>,
    ) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let desk = Arc::new(Desk {
            answers: Mutex::new(answers.into_iter().collect()),
            seen: Mutex::default(),
        });
        let shared = Arc::clone(&desk);
        let mut accepting = JoinSet::new();
        accepting.spawn(async move {
            let mut serving = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (tls, desk) = (tls.clone(), Arc::clone(&shared));
                serving.spawn(async move {
                    if let Ok(stream) = tls.accept(stream).await {
                        serve(stream, desk).await;
                    }
                });
            }
        });
        Self {
            address,
            desk,
            _accepting: accepting,
        }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.desk.seen.lock().unwrap().clone()
    }
}

async fn serve<S>(stream: S, desk: Arc<Desk>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request| answer(request, Arc::clone(&desk)));
    let server = auto::Builder::new(TokioExecutor::new());
    let _ = server.serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(
    request: Request<Incoming>,
    desk: Arc<Desk>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let line = format!(
        "{} {}",
        request.method(),
        request.uri().path_and_query().unwrap()
    );
    let body = request
        .into_body()
        .collect()
        .await
        .expect("the whole body")
        .to_bytes();
    desk.seen.lock().unwrap().push(Seen {
        line,
        body: String::from_utf8(body.to_vec()).unwrap(),
    });
    let mut answers = desk.answers.lock().unwrap();
    let answer = if answers.len() > 1 {
        answers.pop_front()
    } else {
        answers.front().cloned()
    };
    let (status, body) = answer.expect("an answer");
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    Ok(response)
}

/// Returns a token response in the format of Entra ID.
pub(super) fn entra_token(token: &str, seconds: u32) -> (u16, String) {
    let body = format!(
        r#"{{"token_type":"Bearer","expires_in":{seconds},"ext_expires_in":{seconds},"access_token":"{token}"}}"#
    );
    (200, body)
}
