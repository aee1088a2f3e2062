use bytes::Bytes;

use super::ReplayLimits;

/// The chunks of a body that were read, in order.
#[derive(Debug)]
pub(super) struct Recording {
    /// In place: most bodies come in one chunk.
    first: Option<Bytes>,
    rest: Vec<Bytes>,
    /// Bytes of data read so far, recorded or not.
    bytes: u64,
    /// What was taken from the limits.
    taken: usize,
    limits: ReplayLimits,
    is_lost: bool,
}

/// How far a reader has come in a body.
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
            taken: 0,
            is_lost: !limits.allow(announced),
            limits,
        }
    }

    /// Adds what was read. Beyond the limits, or when nobody is left to read it again, everything is let go.
    pub(super) fn push(&mut self, chunk: &Bytes, is_wanted: bool) {
        self.bytes += chunk.len() as u64;
        if self.is_lost {
            return;
        }
        let cost = chunk.len() + size_of::<Bytes>();
        if !is_wanted || !self.limits.take(self.taken, cost) {
            self.let_go();
            return;
        }
        self.taken += cost;
        if self.first.is_none() {
            self.first = Some(chunk.clone());
        } else {
            self.rest.push(chunk.clone());
        }
    }

    /// Whether a body can be read from `position` on.
    pub(super) fn reaches(&self, position: Position) -> bool {
        !self.is_lost || position.bytes == self.bytes
    }

    /// The recorded chunk at the position, which moves past it.
    pub(super) fn next(&self, position: &mut Position) -> Option<Bytes> {
        let chunk = match position.chunks.checked_sub(1) {
            None => self.first.as_ref()?,
            Some(index) => self.rest.get(index)?,
        };
        position.advance(chunk);
        Some(chunk.clone())
    }

    /// Bytes recorded from the position on.
    pub(super) fn ahead_of(&self, position: Position) -> u64 {
        self.bytes - position.bytes
    }

    fn let_go(&mut self) {
        self.is_lost = true;
        self.first = None;
        self.rest = Vec::new();
        self.limits.give_back(std::mem::take(&mut self.taken));
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
        self.limits.give_back(self.taken);
    }
}
