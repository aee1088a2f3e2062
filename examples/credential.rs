//! Credentials that expire: each attempt carries a token for its backend, and no credential of the client. A token is requested
//! when it is needed, and used until it is about to expire.
//!
//! ```sh
//! cargo run -p spillover-examples --bin credential
//! ```

use std::{sync::Arc, time::Duration};

use axum::body::Body;
use http::{HeaderValue, Request, Response, header::AUTHORIZATION};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use spillover_testing::upstream::MockUpstream;
use tokio::{
    sync::Mutex,
    time::{Instant, sleep},
};
use tower::{BoxError, Service, ServiceBuilder, ServiceExt};
use tower_spillover::{Backend, Credential, Pool, Selected, ServiceBuilderExt};

/// Signs requests with the token of the backend that was selected.
#[derive(Clone)]
struct Signer {
    tokens: Arc<[Mutex<Option<Token>>]>,
}

struct Token {
    value: HeaderValue,
    expires: Instant,
}

impl Signer {
    fn new(pool: &Pool) -> Self {
        let tokens = pool.backends().map(|_| Mutex::default()).collect();
        Self { tokens }
    }

    async fn sign<B>(self, mut request: Request<B>) -> Result<Request<B>, BoxError> {
        let selected = request.extensions().get::<Selected>().cloned();
        let selected = selected.ok_or("no backend was selected")?;
        // While a request gets a token, other requests to the same backend wait for it.
        let mut cached = self.tokens[selected.index()].lock().await;
        let is_fresh = |token: &Token| token.expires > Instant::now() + MARGIN;
        let token = match cached.take().filter(is_fresh) {
            Some(token) => token,
            None => get_token(selected.backend()).await?,
        };
        let headers = request.headers_mut();
        headers.insert(AUTHORIZATION, token.value.clone());
        *cached = Some(token);
        Ok(request)
    }
}

/// Returns a token, in place of a request to an identity provider.
async fn get_token(backend: &Backend) -> Result<Token, BoxError> {
    println!("  getting a token for {}", backend.label());
    let mut value = HeaderValue::try_from(format!("Bearer token-of-{}", backend.label()))?;
    value.set_sensitive(true);
    let expires = Instant::now() + Duration::from_secs(3);
    Ok(Token { value, expires })
}

/// A token must not expire before the request arrives.
const MARGIN: Duration = Duration::from_secs(1);

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    // Two mock servers on loopback are the backends. Each accepts only its own token.
    let ptu = MockUpstream::builder().api_key("token-of-ptu");
    let ptu = ptu.start().await?;
    let payg = MockUpstream::builder().api_key("token-of-payg");
    let payg = payg.start().await?;

    let backend = |label, upstream: &MockUpstream, priority| {
        let backend = Backend::builder(label).url(upstream.url());
        // The layers remove credentials of the client for a backend whose credential is added by a layer.
        let backend = backend.credential(Credential::by_layer());
        backend.priority(priority).build()
    };
    let pool = Pool::new([backend("ptu", &ptu, 1)?, backend("payg", &payg, 2)?])?;
    let signer = Signer::new(&pool);
    let mut client = ServiceBuilder::new()
        .spillover(pool)
        // Inside the stack: without a token the attempt fails, and the request is sent to the next backend.
        .filter_async(move |request| signer.clone().sign(request))
        .service(Client::builder(TokioExecutor::new()).build_http());

    for step in ["at first", "again", "ptu throttles", "later"] {
        println!("{step}");
        match step {
            "ptu throttles" => {
                let busy = Response::builder().status(429);
                ptu.handle().push(busy.header("retry-after", "2").body("")?);
            }
            "later" => sleep(Duration::from_millis(2_100)).await,
            _ => {}
        }
        let request = Request::get("/v1/models").header("api-key", "key-of-the-client");
        let request = request.body(Body::empty())?;
        let response = client.ready().await?.call(request).await?;
        println!("  {}", response.status());
    }
    for (label, upstream) in [("ptu", &ptu), ("payg", &payg)] {
        for request in upstream.handle().requests() {
            let [token, key] = ["authorization", "api-key"].map(|name| request.headers.get(name));
            println!("{label} got {token:?}, and from the client {key:?}");
        }
    }
    Ok(())
}
