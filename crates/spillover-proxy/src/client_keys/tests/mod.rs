//! Tests of the layer over a service that stores its requests.

mod admission;
mod places;
mod rates;
mod reload;
mod secrets;
mod served;

use std::{
    convert::Infallible,
    num::NonZeroU32,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use serde_json::Value;
use sha2::{Digest, Sha256};
use spillover_testing::Probe;
use tower::{Layer, ServiceExt};

use super::*;

pub(super) fn key(name: &str, secret: &str) -> ClientKey {
    ClientKey {
        name: name.into(),
        sha256: Sha256::digest(secret).into(),
        pools: Vec::new(),
        requests_per_minute: None,
    }
}

pub(super) fn limited(name: &str, secret: &str, per_minute: u32) -> ClientKey {
    ClientKey {
        requests_per_minute: NonZeroU32::new(per_minute),
        ..key(name, secret)
    }
}

pub(super) fn clients(keys: impl IntoIterator<Item = ClientKey>) -> Vec<ClientKey> {
    keys.into_iter().collect()
}

pub(super) fn request(fields: &[(&'static str, &str)]) -> Request<()> {
    let mut request = Request::post("/v1/chat/completions");
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap()
}

/// With the key in the field that OpenAI's SDKs send it in.
pub(super) fn bearer(secret: &str) -> Request<()> {
    request(&[("authorization", &format!("Bearer {secret}"))])
}

/// Result of a request.
pub(super) struct Entry {
    pub(super) response: Response<Full<Bytes>>,
    /// As the inner service got it, if it did.
    pub(super) request: Option<Request<()>>,
}

impl Entry {
    /// Asks at the door.
    pub(super) async fn of(keys: &Arc<KeyRing>, request: Request<()>) -> Self {
        let passed = Arc::new(Mutex::new(None));
        let keep = Arc::clone(&passed);
        let inner: Probe<(), Full<Bytes>, Infallible> = Probe::new(move |request| {
            *keep.lock().unwrap() = Some(request);
            async { Ok(Response::default()) }
        });
        let service = ClientKeysLayer::new(Arc::clone(keys)).layer(inner);
        let Ok(response) = service.oneshot(request).await;
        let request = passed.lock().unwrap().take();
        Self { response, request }
    }

    pub(super) fn status(&self) -> u16 {
        self.response.status().as_u16()
    }

    pub(super) fn field(&self, name: &str) -> Option<&str> {
        let value = self.response.headers().get(name)?;
        value.to_str().ok()
    }

    /// Returns the name of the client whose request was admitted.
    pub(super) fn client(&self) -> Option<&str> {
        let request = self.request.as_ref()?;
        let client = request.extensions().get::<Client>()?;
        Some(client.name())
    }

    /// The fields that the request still has.
    pub(super) fn left(&self) -> Vec<(&str, &[u8])> {
        let headers = self.request.as_ref().unwrap().headers();
        let fields = headers.iter();
        fields
            .map(|(name, value)| (name.as_str(), value.as_bytes()))
            .collect()
    }

    pub(super) async fn json(self) -> Value {
        let body = self.response.into_body().collect().await.unwrap();
        serde_json::from_slice(&body.to_bytes()).unwrap()
    }
}
