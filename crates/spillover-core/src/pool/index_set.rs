use super::Attempts;

/// A set of indices of backends.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct IndexSet {
    words: [u64; Attempts::CAPACITY / 64],
}

impl IndexSet {
    pub(super) fn insert(&mut self, index: usize) {
        self.words[index / 64] |= 1 << (index % 64);
    }

    pub(super) fn remove(&mut self, index: usize) {
        self.words[index / 64] &= !(1 << (index % 64));
    }

    pub(super) fn contains(&self, index: usize) -> bool {
        let word = self.words.get(index / 64);
        word.is_some_and(|word| word & (1 << (index % 64)) != 0)
    }
}
