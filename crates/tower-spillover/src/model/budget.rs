use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

/// A limit of the memory for all bodies together while they are read. Clones share the budget.
#[derive(Clone, Debug)]
pub(super) struct Budget {
    total: usize,
    used: Arc<AtomicUsize>,
}

impl Budget {
    pub(super) fn new(total: usize) -> Self {
        Self {
            total,
            used: Arc::default(),
        }
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self::new(TOTAL)
    }
}

/// The bytes that one body has reserved. They are released on drop.
#[derive(Debug, Default)]
pub(super) struct Reservation {
    bytes: usize,
    /// `None` before the first reservation.
    budget: Option<Budget>,
}

impl Reservation {
    /// Reserves bytes of the budget. Returns false if too few are left.
    pub(super) fn reserve(&mut self, budget: &Budget, bytes: usize) -> bool {
        let add = |used: usize| used.checked_add(bytes).filter(|&sum| sum <= budget.total);
        if budget.used.fetch_update(Relaxed, Relaxed, add).is_err() {
            return false;
        }
        self.bytes += bytes;
        self.budget.get_or_insert_with(|| budget.clone());
        true
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn release(&mut self, bytes: usize) {
        if let Some(budget) = &self.budget {
            let bytes = bytes.min(self.bytes);
            self.bytes -= bytes;
            budget.used.fetch_sub(bytes, Relaxed);
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.release(self.bytes);
    }
}

/// The default of the budget for replay bodies of a pool. A body counts towards that budget once it has been read here.
const TOTAL: usize = 1 << 30;
