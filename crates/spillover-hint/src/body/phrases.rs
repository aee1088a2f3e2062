use std::sync::OnceLock;

use memchr::memmem::Finder;

/// A table of phrases with a value each. The search structures are built once: for short messages, building them is
/// most of the work.
pub(super) struct Phrases<T: 'static, const N: usize> {
    table: [(&'static str, T); N],
    finders: OnceLock<[Finder<'static>; N]>,
}

impl<T: Copy, const N: usize> Phrases<T, N> {
    pub(super) const fn new(table: [(&'static str, T); N]) -> Self {
        Self {
            table,
            finders: OnceLock::new(),
        }
    }

    /// Returns the value of the first entry of the table that occurs in the text.
    pub(super) fn first(&self, text: &[u8]) -> Option<T> {
        self.found(text).next().map(|(_, says)| says)
    }

    /// Returns the position and value of each phrase that occurs in the text.
    pub(super) fn found(&self, text: &[u8]) -> impl Iterator<Item = (usize, T)> {
        let finders = self.finders.get_or_init(|| {
            self.table
                .each_ref()
                .map(|(phrase, _)| Finder::new(*phrase))
        });
        let table = self.table.iter().zip(finders);
        table.filter_map(|((_, says), finder)| Some((finder.find(text)?, *says)))
    }
}
