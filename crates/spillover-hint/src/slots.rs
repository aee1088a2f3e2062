use std::fmt;

use crate::Candidate;

/// A list of candidates on the stack.
pub(crate) struct Slots {
    /// Filled from the front.
    slots: [Option<Candidate>; CAPACITY],
    len: usize,
}

impl Slots {
    /// Adds a candidate, or merges it with one of the same source, dimension and period.
    ///
    /// Merging keeps the longer wait: a proxy may answer for several servers or repeat a field, and a retry that comes
    /// too early is refused again. A full list drops the least trusted candidate, so that the result does not depend on
    /// the order.
    pub(crate) fn push(&mut self, candidate: Candidate) {
        let held = self.slots[..self.len].iter_mut().flatten();
        for held in held {
            if held.absorb(&candidate) {
                return;
            }
        }
        if let Some(slot) = self.slots.get_mut(self.len) {
            *slot = Some(candidate);
            self.len += 1;
            return;
        }
        let least = self
            .slots
            .iter_mut()
            .flatten()
            .max_by_key(|held| held.key());
        if let Some(least) = least
            && candidate.key() < least.key()
        {
            *least = candidate;
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Candidate> {
        self.slots[..self.len].iter().flatten()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl Default for Slots {
    #[inline]
    fn default() -> Self {
        Self {
            slots: [None; CAPACITY],
            len: 0,
        }
    }
}

/// Written by hand because most lists are nearly empty.
impl Clone for Slots {
    fn clone(&self) -> Self {
        let mut slots = Self::default();
        slots.slots[..self.len].copy_from_slice(&self.slots[..self.len]);
        slots.len = self.len;
        slots
    }
}

impl fmt::Debug for Slots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// More than any known response has: a gateway that passes on the fields of two vendors sends a dozen.
const CAPACITY: usize = 14;
