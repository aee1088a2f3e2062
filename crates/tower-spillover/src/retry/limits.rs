use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

/// How much of request bodies is kept for another attempt: per request, and in all requests together. Clones share the
/// total.
///
/// Each chunk counts for 32 bytes more than it has, so that many small ones are bounded as well.
#[derive(Clone, Debug)]
#[must_use]
pub struct ReplayLimits {
    per_request: usize,
    total: usize,
    used: Arc<AtomicUsize>,
}

impl ReplayLimits {
    /// The bytes kept of one request. Default 32 MiB: transcription endpoints take files of 25 MB.
    pub fn per_request(self, bytes: usize) -> Self {
        Self {
            per_request: bytes,
            ..self
        }
    }

    /// The bytes kept of all requests together. Default 1 GiB.
    pub fn total(self, bytes: usize) -> Self {
        Self {
            total: bytes,
            ..self
        }
    }

    pub(super) fn allow(&self, bytes: u64) -> bool {
        bytes <= self.per_request as u64
    }

    /// Takes `more` bytes for a request that has taken `taken` so far.
    pub(super) fn take(&self, taken: usize, more: usize) -> bool {
        if more > self.per_request.saturating_sub(taken) {
            return false;
        }
        let add = |used: usize| used.checked_add(more).filter(|&sum| sum <= self.total);
        self.used.fetch_update(Relaxed, Relaxed, add).is_ok()
    }

    pub(super) fn give_back(&self, bytes: usize) {
        // All requests change it: those that took nothing need not.
        if bytes > 0 {
            self.used.fetch_sub(bytes, Relaxed);
        }
    }
}

impl Default for ReplayLimits {
    fn default() -> Self {
        Self {
            per_request: 32 << 20,
            total: 1 << 30,
            used: Arc::default(),
        }
    }
}
