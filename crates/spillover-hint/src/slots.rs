use std::fmt;

use crate::Candidate;

/// A list of candidates that lives on the stack.
#[derive(Clone, Default)]
pub(crate) struct Slots {
    /// Filled from the front.
    slots: [Option<Candidate>; CAPACITY],
}

impl Slots {
    /// Adds a candidate, or merges it with one of the same source and dimension.
    ///
    /// The longer one stays then: a proxy may answer for several servers, or repeat a field with its own value, and coming
    /// back too early is refused again. When the list is full the candidate is dropped.
    pub(crate) fn push(&mut self, candidate: Candidate) {
        for slot in &mut self.slots {
            match slot {
                None => {
                    *slot = Some(candidate);
                    return;
                }
                Some(held) => {
                    if held.absorb(&candidate) {
                        return;
                    }
                }
            }
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Candidate> {
        self.slots.iter().map_while(Option::as_ref)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.slots[0].is_none()
    }
}

impl fmt::Debug for Slots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// Room for every pair of source and dimension there is today: three stated waits, one of which may be both a duration and
/// a date, and two resets of two dimensions each.
const CAPACITY: usize = 8;
