use std::sync::Arc;

use super::budget::Budget;

/// The fields to read from request bodies, besides the model for its limits. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Fields {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// Names of JSON fields, beside `model`.
    fields: Vec<Box<str>>,
    has_fields: bool,
    uses: Uses,
    budget: Budget,
}

/// The uses of the model in a request body, besides its limits. The model decides where one of them applies: the layer then
/// reads the body to its end and rejects a second model, since backends differ in which of two they use.
#[derive(Clone, Copy, Debug, Default)]
pub struct Uses {
    /// True when the model chooses the route of a request. For example one pool is for `gpt-4o*`.
    pub is_routed: bool,
    /// True when a backend gets another model in its place, in requests without a deployment in their path.
    pub is_replaced: bool,
    /// True when the model is replaced or put in also in requests with a deployment in their path.
    pub is_replaced_beside_path: bool,
}

impl Fields {
    /// Creates the list of these fields of JSON bodies, such as `user`, and of the model for these uses.
    #[must_use]
    pub fn new<'a>(fields: impl IntoIterator<Item = &'a str>, uses: Uses) -> Self {
        let mut fields: Vec<Box<str>> = fields.into_iter().map(Into::into).collect();
        let has_fields = !fields.is_empty();
        // It is looked for anyway.
        fields.retain(|field| **field != *MODEL);
        fields.sort_unstable();
        fields.dedup();
        Self::with(fields, has_fields, uses, Budget::default())
    }

    fn with(fields: Vec<Box<str>>, has_fields: bool, uses: Uses, budget: Budget) -> Self {
        let inner = Inner {
            fields,
            has_fields,
            uses,
            budget,
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Keeps only so much of all bodies together.
    #[cfg(test)]
    pub(super) fn with_budget(self, budget: Budget) -> Self {
        let Inner {
            fields,
            has_fields,
            uses,
            ..
        } = &*self.inner;
        Self::with(fields.clone(), *has_fields, *uses, budget)
    }

    pub(super) fn budget(&self) -> &Budget {
        &self.inner.budget
    }

    /// Returns true if the body of a request is to be read. One with a deployment in its path has its scope there.
    pub(super) fn is_read(&self, is_in_path: bool) -> bool {
        !is_in_path || self.inner.has_fields || self.inner.uses.is_replaced_beside_path
    }

    /// Returns true if the model in the body of a request decides.
    pub(super) fn is_decisive(&self, is_in_path: bool) -> bool {
        let Uses {
            is_routed,
            is_replaced,
            is_replaced_beside_path,
        } = self.inner.uses;
        is_routed || is_replaced_beside_path && is_in_path || is_replaced && !is_in_path
    }

    /// Returns true if what is found is told, as `Extracted`.
    pub(super) fn is_kept(&self) -> bool {
        let Uses {
            is_routed,
            is_replaced,
            is_replaced_beside_path,
        } = self.inner.uses;
        self.inner.has_fields || is_routed || is_replaced || is_replaced_beside_path
    }

    /// Returns the number of fields, with the model.
    pub(super) fn len(&self) -> usize {
        self.inner.fields.len() + 1
    }

    /// Returns the index of a field. The model has index 0.
    pub(super) fn find(&self, name: &[u8], is_decisive: bool) -> Option<usize> {
        let is_model = if is_decisive {
            // Go's `encoding/json` does not mind the case, and with it many a backend.
            name.eq_ignore_ascii_case(MODEL.as_bytes())
        } else {
            name == MODEL.as_bytes()
        };
        if is_model {
            return Some(0);
        }
        let mut fields = self.inner.fields.iter();
        let index = fields.position(|field| field.as_bytes() == name)?;
        Some(index + 1)
    }
}

/// Returns the greatest number of bytes to read of a body. It holds for the bytes as received and as decoded.
pub(super) fn limit(is_decisive: bool) -> u64 {
    if is_decisive {
        LIMIT_OF_DECISIVE
    } else {
        LIMIT
    }
}

const MODEL: &str = "model";

/// Most chat requests are smaller, and what a larger one is to be taken for is a guess that costs little.
const LIMIT: u64 = 1 << 20;

/// As much as is kept for another attempt by default: chats with images in them are large.
const LIMIT_OF_DECISIVE: u64 = 32 << 20;
