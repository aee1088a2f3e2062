use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

/// Bounds what is kept of all bodies together while they are read. Clones share it.
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

/// What one body has of it. Dropped, it is given back.
#[derive(Debug, Default)]
pub(super) struct Taken {
    bytes: usize,
    /// `None` until there is something.
    from: Option<Budget>,
}

impl Taken {
    /// Takes bytes of the budget. Returns false if too few are left.
    pub(super) fn take(&mut self, budget: &Budget, bytes: usize) -> bool {
        let add = |used: usize| used.checked_add(bytes).filter(|&sum| sum <= budget.total);
        if budget.used.fetch_update(Relaxed, Relaxed, add).is_err() {
            return false;
        }
        self.bytes += bytes;
        self.from.get_or_insert_with(|| budget.clone());
        true
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn give_back(&mut self, bytes: usize) {
        if let Some(budget) = &self.from {
            let bytes = bytes.min(self.bytes);
            self.bytes -= bytes;
            budget.used.fetch_sub(bytes, Relaxed);
        }
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.give_back(self.bytes);
    }
}

/// As much as is kept by default of the bodies in a pool for another attempt, where what was read here counts from then on.
const TOTAL: usize = 1 << 30;
