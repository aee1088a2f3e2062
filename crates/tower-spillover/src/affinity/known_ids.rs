use std::{fmt, sync::Arc};

use http::Method;
use quick_cache::sync::Cache;
use spillover_core::{Affinity, Backend};

use crate::model::Extracted;

/// The backends that have created objects with an id, by the id. Clones share their state.
///
/// Holds up to 100,000 ids of at most 256 bytes. A new id then takes the place of one that was not used for long.
#[derive(Clone)]
pub struct KnownIds {
    // The affinity is smaller than a label.
    backends: Arc<Cache<Box<str>, Affinity>>,
}

impl KnownIds {
    /// Returns the affinity to the backend that created an object which the path or a body field names.
    pub(super) fn find(&self, path: &str, extracted: Option<&Extracted>) -> Option<Affinity> {
        if self.backends.is_empty() {
            return None;
        }
        let fields = ID_FIELDS.iter();
        let fields = fields.filter_map(|field| extracted?.field(field));
        let mut ids = path.split('/').chain(fields);
        ids.find_map(|id| self.backends.get(id))
    }

    /// Records the backend that created the object with this id.
    pub(super) fn record(&self, id: &str, backend: &Backend) {
        if id.len() <= MAX_ID_LENGTH {
            let affinity = Affinity::to_backend(backend.label());
            self.backends.insert(id.into(), affinity);
        }
    }
}

impl Default for KnownIds {
    fn default() -> Self {
        Self {
            backends: Arc::new(Cache::new(CAPACITY)),
        }
    }
}

impl fmt::Debug for KnownIds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KnownIds")
            .field("len", &self.backends.len())
            .finish()
    }
}

/// Returns true if a request with this method and path can create an object that has an id.
pub(super) fn creates_object(method: &Method, path: &str) -> bool {
    *method == Method::POST
        && path
            .split('/')
            .any(|segment| COLLECTIONS.contains(&segment))
}

/// Fields of JSON bodies that name an object created before: responses
/// (<https://platform.openai.com/docs/api-reference/responses/create>), batches, fine-tuning and runs.
pub(super) const ID_FIELDS: [&str; 5] = [
    "previous_response_id",
    "conversation",
    "input_file_id",
    "training_file",
    "assistant_id",
];

/// Path segments at which a POST creates an object with an id (<https://platform.openai.com/docs/api-reference>).
const COLLECTIONS: [&str; 10] = [
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

/// Bounds the memory of the ids, whatever a backend sends. OpenAI's ids have up to 80 bytes.
const MAX_ID_LENGTH: usize = 256;
