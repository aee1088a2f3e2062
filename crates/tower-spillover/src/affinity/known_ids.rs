use std::{fmt, sync::Arc};

use http::{HeaderName, Method, Response, Uri, header::LOCATION};
use quick_cache::sync::Cache;
use spillover_core::{Affinity, Backend};

use crate::model::Extracted;

/// The backends that have created objects with an id, by the id. Clones share their state.
///
/// Holds up to 100,000 ids of at most 256 bytes. A new id then takes the place of one that was not used for long.
#[derive(Clone)]
pub struct KnownIds {
    // An affinity takes less memory than the label of a backend.
    backends: Arc<Cache<Box<str>, Affinity>>,
}

impl KnownIds {
    /// Returns the affinity to the backend that created an object which the path, the query or a body field names.
    pub(super) fn find(&self, uri: &Uri, extracted: Option<&Extracted>) -> Option<Affinity> {
        if self.backends.is_empty() {
            return None;
        }
        let fields = ID_FIELDS.iter();
        let fields = fields.filter_map(|field| extracted?.field(field));
        let segments = uri.path().split('/');
        let upload = uri.query().and_then(upload_id);
        let mut ids = segments.chain(upload).chain(fields.map(last_segment));
        // An id may have a colon itself.
        ids.find_map(|id| self.get(id).or_else(|| self.get(without_method(id)?)))
    }

    /// Records the backend whose response names a URL to go on with: a resumable upload of Google
    /// (<https://ai.google.dev/api/files>) or an operation of Azure
    /// (<https://learn.microsoft.com/azure/architecture/patterns/async-request-reply>).
    ///
    /// The last segment of a path counts only with a digit: ids have one, and names that other paths share, such as `completions`,
    /// have none. A redirect names no object of its own.
    pub(super) fn record_urls<B>(&self, response: &Response<B>, backend: &Backend) {
        if !response.status().is_success() {
            return;
        }
        for name in &URL_FIELDS {
            let url = response.headers().get(name);
            let Some(Ok(url)) = url.map(|url| Uri::try_from(url.as_bytes())) else {
                continue;
            };
            if let Some(upload) = url.query().and_then(upload_id) {
                self.record(upload, backend);
                continue;
            }
            let id = last_segment(url.path());
            let id = without_method(id).unwrap_or(id);
            if id.len() >= MIN_URL_ID_LENGTH && id.bytes().any(|byte| byte.is_ascii_digit()) {
                self.record(id, backend);
            }
        }
    }

    fn get(&self, id: &str) -> Option<Affinity> {
        self.backends.get(id)
    }

    /// Records the backend that created the object with this id or resource name, such as `files/abc`.
    pub(super) fn record(&self, id: &str, backend: &Backend) {
        let id = last_segment(id);
        // Every path has an empty segment.
        if !id.is_empty() && id.len() <= MAX_ID_LENGTH {
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

/// Returns the id of a resumable upload.
fn upload_id(query: &str) -> Option<&str> {
    let mut parameters = query.split('&');
    parameters.find_map(|parameter| parameter.strip_prefix("upload_id="))
}

/// Returns the id in a resource name: `abc` of `cachedContents/abc`.
fn last_segment(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

/// Returns a path segment without the method of its resource: `abc` of `abc:download`. `None` for a segment without a method.
fn without_method(segment: &str) -> Option<&str> {
    let (id, method) = segment.rsplit_once(':')?;
    method
        .starts_with(|c: char| c.is_ascii_lowercase())
        .then_some(id)
}

/// Returns true if a request with this method and path can create an object that has an id.
pub(super) fn creates_object(method: &Method, path: &str) -> bool {
    *method == Method::POST
        && path
            .split('/')
            .any(|segment| COLLECTIONS.contains(&segment))
}

/// Fields of JSON bodies that name an object created before: responses
/// (<https://platform.openai.com/docs/api-reference/responses/create>), batches, fine-tuning, runs, and Gemini's cached contents
/// (<https://ai.google.dev/api/caching>).
pub(super) const ID_FIELDS: [&str; 6] = [
    "previous_response_id",
    "conversation",
    "input_file_id",
    "training_file",
    "assistant_id",
    "cachedContent",
];

/// Path segments at which a POST creates an object with an id: those of OpenAI
/// (<https://platform.openai.com/docs/api-reference>), the jobs of fine-tuning and of Azure's video generation, and Gemini's
/// cached contents.
const COLLECTIONS: [&str; 16] = [
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
    "jobs",
    "evals",
    "runs",
    "skills",
    "calls",
    "cachedContents",
];

/// Response fields with a URL to go on with.
static URL_FIELDS: [HeaderName; 3] = [
    HeaderName::from_static("x-goog-upload-url"),
    HeaderName::from_static("operation-location"),
    LOCATION,
];

/// A shorter segment is a version such as `v1`.
const MIN_URL_ID_LENGTH: usize = 4;

const CAPACITY: usize = 100_000;

/// Bounds the memory of the ids, whatever a backend sends. OpenAI's ids have up to 80 bytes.
const MAX_ID_LENGTH: usize = 256;
