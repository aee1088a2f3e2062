use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
};

use futures_util::stream::{self, Iter};
use tokio::net::TcpListener;
use tonic::{
    Request, Response, Status,
    metadata::MetadataValue,
    transport::{self, server::TcpIncoming},
};

use super::generated::{
    Completion, Prompt,
    completions_server::{Completions, CompletionsServer},
};

/// A gRPC mock server on loopback. It refuses a call after [`throttle`](Self::throttle).
pub(crate) struct Server {
    url: String,
    pushback_ms: Arc<AtomicU32>,
}

impl Server {
    pub(crate) async fn start(name: &'static str) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let pushback_ms = Arc::new(AtomicU32::new(0));
        let backend = Backend {
            name,
            pushback_ms: Arc::clone(&pushback_ms),
        };
        let server = transport::Server::builder().add_service(CompletionsServer::new(backend));
        tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
        Ok(Self { url, pushback_ms })
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Lets the server refuse the next call with this pushback.
    pub(crate) fn throttle(&self, pushback_ms: u32) {
        self.pushback_ms.store(pushback_ms, Relaxed);
    }
}

struct Backend {
    name: &'static str,
    pushback_ms: Arc<AtomicU32>,
}

impl Backend {
    fn admit(&self) -> Result<(), Status> {
        match self.pushback_ms.swap(0, Relaxed) {
            0 => Ok(()),
            ms => {
                let mut status = Status::resource_exhausted("too many calls");
                let pushback = MetadataValue::from(ms);
                // The wait until the next attempt, as in gRFC A6.
                status
                    .metadata_mut()
                    .insert("grpc-retry-pushback-ms", pushback);
                Err(status)
            }
        }
    }

    fn completion(&self, word: &str) -> Completion {
        let text = format!("{word} says {}", self.name);
        Completion { text }
    }
}

#[tonic::async_trait]
impl Completions for Backend {
    type CompleteStreamStream = Iter<std::vec::IntoIter<Result<Completion, Status>>>;

    async fn complete(&self, request: Request<Prompt>) -> Result<Response<Completion>, Status> {
        self.admit()?;
        Ok(Response::new(self.completion(&request.get_ref().text)))
    }

    async fn complete_stream(
        &self,
        request: Request<Prompt>,
    ) -> Result<Response<Self::CompleteStreamStream>, Status> {
        self.admit()?;
        let words = request.get_ref().text.split_whitespace();
        let completions: Vec<_> = words.map(|word| Ok(self.completion(word))).collect();
        Ok(Response::new(stream::iter(completions)))
    }
}
