//! The parts of a request that are kept for another attempt.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use bytes::{Buf, BufMut, Bytes};
use http::{HeaderMap, HeaderName, HeaderValue};
use spillover_core::layer::is_client_retry;

/// Bounds how many bytes of request bodies are kept for another attempt: per request, and of all requests together. Clones
/// share the total.
///
/// Each chunk counts for 32 bytes more than it has, so that many small chunks are bounded as well.
#[derive(Clone, Debug)]
#[must_use]
pub struct ReplayLimits {
    per_request: usize,
    total: usize,
    used: Arc<AtomicUsize>,
}

impl ReplayLimits {
    /// Sets the bytes kept of one request. Default: 32 MiB: transcription endpoints take files of 25 MB.
    pub fn per_request(self, bytes: usize) -> Self {
        Self {
            per_request: bytes,
            ..self
        }
    }

    /// Sets the bytes kept of all requests together. Default: 1 GiB.
    pub fn total(self, bytes: usize) -> Self {
        Self {
            total: bytes,
            ..self
        }
    }

    pub(super) fn allows(&self, bytes: u64) -> bool {
        bytes <= self.per_request as u64
    }

    /// Reserves `more` bytes for a request that has reserved `taken` so far. Returns false if a limit forbids that.
    pub(super) fn reserve(&self, taken: usize, more: usize) -> bool {
        if more > self.per_request.saturating_sub(taken) {
            return false;
        }
        let add = |used: usize| used.checked_add(more).filter(|&sum| sum <= self.total);
        self.used.fetch_update(Relaxed, Relaxed, add).is_ok()
    }

    pub(super) fn release(&self, bytes: usize) {
        // All requests write to this counter. A request that reserved nothing skips the write.
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

/// The chunks of a body that were read, in order.
#[derive(Debug)]
pub(super) struct Recording {
    /// Kept in place, because most bodies come in one chunk.
    first: Option<Bytes>,
    rest: Vec<Bytes>,
    /// Bytes of data read so far, recorded or not.
    bytes: u64,
    /// Bytes reserved from the limits.
    reserved: usize,
    limits: ReplayLimits,
    is_lost: bool,
}

/// The place of a reader in a body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Position {
    chunks: usize,
    bytes: u64,
}

impl Recording {
    pub(super) fn new(limits: ReplayLimits, announced: u64) -> Self {
        Self {
            first: None,
            rest: Vec::new(),
            bytes: 0,
            reserved: 0,
            is_lost: !limits.allows(announced),
            limits,
        }
    }

    /// Adds a chunk that was read. Drops the whole recording beyond the limits, and if no reader is left that may need it.
    pub(super) fn push(&mut self, chunk: &Bytes, is_wanted: bool) {
        self.bytes += chunk.len() as u64;
        if self.is_lost {
            return;
        }
        let cost = chunk.len() + size_of::<Bytes>();
        if !is_wanted || !self.limits.reserve(self.reserved, cost) {
            self.drop_chunks();
            return;
        }
        self.reserved += cost;
        if self.first.is_none() {
            self.first = Some(chunk.clone());
        } else {
            self.rest.push(chunk.clone());
        }
    }

    /// Returns true if a body can be read from `position` on.
    pub(super) fn reaches(&self, position: Position) -> bool {
        !self.is_lost || position.bytes == self.bytes
    }

    /// Returns the recorded chunk at the position, and moves the position past it.
    pub(super) fn next(&self, position: &mut Position) -> Option<Bytes> {
        let chunk = match position.chunks.checked_sub(1) {
            None => self.first.as_ref()?,
            Some(index) => self.rest.get(index)?,
        };
        position.advance(chunk);
        Some(chunk.clone())
    }

    /// Returns the number of bytes recorded from the position on.
    pub(super) fn ahead_of(&self, position: Position) -> u64 {
        self.bytes - position.bytes
    }

    fn drop_chunks(&mut self) {
        self.is_lost = true;
        self.first = None;
        self.rest = Vec::new();
        self.limits.release(std::mem::take(&mut self.reserved));
    }
}

impl Position {
    pub(super) fn advance(&mut self, chunk: &Bytes) {
        self.chunks += 1;
        self.bytes += chunk.len() as u64;
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        self.limits.release(self.reserved);
    }
}

/// The header fields of a request, one after the other in one allocation.
///
/// Most are dropped unread: a clone of each name and value would change a counter twice.
#[derive(Clone)]
pub(super) struct SavedHead {
    /// For each field: the lengths of name and value, a byte that is 1 if the value is sensitive, name, value.
    bytes: Vec<u8>,
    len: usize,
}

impl SavedHead {
    pub(super) fn new(map: &HeaderMap) -> Self {
        let mut bytes = Vec::with_capacity(map.len() * TYPICAL_FIELD);
        for (name, value) in map {
            bytes.put_u32(name.as_str().len() as u32);
            bytes.put_u32(value.len() as u32);
            bytes.put_u8(value.is_sensitive().into());
            bytes.put_slice(name.as_str().as_bytes());
            bytes.put_slice(value.as_bytes());
        }
        Self {
            bytes,
            len: map.len(),
        }
    }

    pub(super) fn to_map(&self) -> HeaderMap {
        let mut map = HeaderMap::with_capacity(self.len);
        for (name, value) in self.fields() {
            map.append(name, value);
        }
        map
    }

    /// Returns true if the [client says](is_client_retry) that it has sent the request before.
    pub(super) fn is_retry_of_client(&self) -> bool {
        let mut fields = self.fields();
        fields.any(|(name, value)| is_client_retry(name.as_str(), value.as_bytes()))
    }

    fn fields(&self) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
        let mut rest = Bytes::copy_from_slice(&self.bytes);
        std::iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }
            let [name_len, value_len] = [(); 2].map(|()| rest.get_u32() as usize);
            let is_sensitive = rest.get_u8() != 0;
            let name = HeaderName::from_bytes(&rest.split_to(name_len)).ok()?;
            let mut value = HeaderValue::from_maybe_shared(rest.split_to(value_len)).ok()?;
            value.set_sensitive(is_sensitive);
            Some((name, value))
        })
    }
}

/// The bytes that a field takes, in requests of SDKs.
const TYPICAL_FIELD: usize = 64;
