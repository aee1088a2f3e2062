use std::sync::OnceLock;

use memchr::memmem::Finder;

/// Phrases, and what each says. What it takes to look for them is made once: for a text as short as a message that is most
/// of the work.
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

    /// What the first of the table says that is in the text.
    pub(super) fn first(&self, text: &[u8]) -> Option<T> {
        self.found(text).next().map(|(_, says)| says)
    }

    /// Where each that is in the text begins, and what it says.
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
