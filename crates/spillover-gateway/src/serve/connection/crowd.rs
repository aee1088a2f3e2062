//! How many connections of a thread have nothing to do, and are in hyper all the same: the next request may be near.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Those of one thread. Beyond [`Crowd::MOST`] it is not waited for how near the next request is: in a burst of thousands of
/// connections that would take their memory, which the allocator does not give back.
#[derive(Debug, Default)]
pub(super) struct Crowd {
    idle: AtomicUsize,
}

/// A connection that is among them, or not. Dropped, it is not.
#[derive(Debug)]
pub(super) struct Member<'a> {
    crowd: &'a Crowd,
    is_idle: bool,
}

impl Crowd {
    pub(super) const MOST: usize = 256;

    /// A connection that has something to do.
    pub(super) fn member(&self) -> Member<'_> {
        Member {
            crowd: self,
            is_idle: false,
        }
    }
}

impl Member<'_> {
    /// Notes whether it has nothing to do, and returns whether it is one too many then.
    pub(super) fn is_too_many(&mut self, is_idle: bool) -> bool {
        if is_idle == self.is_idle {
            return false;
        }
        self.is_idle = is_idle;
        if is_idle {
            self.crowd.idle.fetch_add(1, Relaxed) >= Crowd::MOST
        } else {
            self.crowd.idle.fetch_sub(1, Relaxed);
            false
        }
    }
}

impl Drop for Member<'_> {
    fn drop(&mut self) {
        self.is_too_many(false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_beyond_the_most_is_too_many_until_another_has_something_to_do() {
        let crowd = Crowd::default();
        let mut members: Vec<_> = (0..Crowd::MOST).map(|_| crowd.member()).collect();
        assert!(members.iter_mut().all(|member| !member.is_too_many(true)));

        let mut late = crowd.member();
        assert!(late.is_too_many(true));
        assert!(!late.is_too_many(false));
        assert!(!members[0].is_too_many(false));
        assert!(!late.is_too_many(true));
        drop(members);
        assert!(!crowd.member().is_too_many(true));
        drop(late);
        assert_eq!(crowd.idle.load(Relaxed), 0);
    }
}
