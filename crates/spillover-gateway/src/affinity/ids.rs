use std::{fmt, sync::Arc};

use http::{Method, Request, Response, header::CONTENT_ENCODING};
use quick_cache::sync::Cache;
use spillover_core::{Affinity, Selected};

use tower_spillover::model::Extracted;

/// Which backend made what has an id: only that one knows it. Clones are one.
///
/// So many ids are kept; those that nobody asked for give way first.
#[derive(Clone)]
pub(crate) struct KnownIds {
    homes: Arc<Cache<Box<str>, Affinity>>,
}

impl KnownIds {
    /// The backend that a request must go to for the sake of an id that it names.
    pub(super) fn find<B>(&self, request: &Request<B>) -> Option<Affinity> {
        if self.homes.is_empty() {
            return None;
        }
        let found = request.extensions().get::<Extracted>();
        let fields = FIELDS.iter().filter_map(|field| found?.field(field));
        let mut ids = request.uri().path().split('/').chain(fields);
        ids.find_map(|id| self.homes.get(id))
    }

    /// Notes who made what has this id.
    pub(super) fn note(&self, id: &str, selected: &Selected) {
        if id.len() > LONGEST {
            return;
        }
        let home = Affinity::to_backend(selected.backend().label());
        self.homes.insert(id.into(), home);
    }

    /// Whether something that has an id may be made by a request like this.
    pub(super) fn may_make<B>(request: &Request<B>) -> bool {
        let mut segments = request.uri().path().split('/');
        request.method() == Method::POST && segments.any(|segment| MAKERS.contains(&segment))
    }

    /// Whether it was, by this response, and the id can be read there.
    pub(super) fn has_made<B>(response: &Response<B>) -> bool {
        response.status().is_success() && !response.headers().contains_key(CONTENT_ENCODING)
    }
}

impl Default for KnownIds {
    fn default() -> Self {
        Self {
            homes: Arc::new(Cache::new(CAPACITY)),
        }
    }
}

impl fmt::Debug for KnownIds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KnownIds")
            .field("len", &self.homes.len())
            .finish()
    }
}

/// The fields of JSON bodies that name what was made before
/// (<https://platform.openai.com/docs/api-reference/responses/create>, batches, fine-tuning, runs).
pub(crate) const FIELDS: [&str; 5] = [
    "previous_response_id",
    "conversation",
    "input_file_id",
    "training_file",
    "assistant_id",
];

/// The segments of paths where a POST makes what has an id.
const MAKERS: [&str; 10] = [
    "responses",
    "conversations",
    "files",
    "uploads",
    "batches",
    "assistants",
    "threads",
    "vector_stores",
    "containers",
    "videos",
];

const CAPACITY: usize = 100_000;

/// With the capacity it bounds the memory that ids take, whatever backends call them. Those of OpenAI have up to 80 bytes.
const LONGEST: usize = 256;
