use std::sync::Arc;

use crate::Class;

/// Classes that replace the usual ones of some codes. Clones share them.
#[derive(Clone, Debug)]
pub(super) struct Overrides<K> {
    classes: Option<Arc<[(K, Class)]>>,
}

impl<K: Copy + PartialEq> Overrides<K> {
    /// Sets the class of `code`.
    pub(super) fn with(&self, code: K, class: Class) -> Self {
        let others = self.iter().filter(|(other, _)| *other != code).copied();
        Self {
            classes: Some(others.chain([(code, class)]).collect()),
        }
    }

    pub(super) fn get(&self, code: K) -> Option<Class> {
        let mut classes = self.iter();
        classes
            .find(|(other, _)| *other == code)
            .map(|(_, class)| *class)
    }

    fn iter(&self) -> impl Iterator<Item = &(K, Class)> {
        self.classes.iter().flat_map(|classes| classes.iter())
    }
}

impl<K> Default for Overrides<K> {
    fn default() -> Self {
        Self { classes: None }
    }
}
