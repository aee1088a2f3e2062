use std::sync::Arc;

use super::budget::Budget;

/// The fields to read from request bodies, besides the model. Clones share the list.
#[derive(Clone, Debug, Default)]
pub struct Fields {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// The names of JSON fields, without `model`.
    fields: Vec<Box<str>>,
    has_fields: bool,
    uses: Uses,
    budget: Budget,
}

/// The uses of the model in a request body, besides its scope. If one of them applies, the model is decisive: the layer reads
/// the body to its end and rejects a second model, since backends differ in which of two models they use.
#[derive(Clone, Copy, Debug, Default)]
pub struct Uses {
    /// True if requests are routed by their model. For example one pool is for `gpt-4o*`.
    pub is_routed: bool,
    /// True if the model is replaced for some backend, in requests without a deployment in their path.
    pub is_replaced: bool,
    /// True if the model is replaced or inserted for some backend, in requests with a deployment in their path.
    pub is_replaced_beside_path: bool,
}

impl Fields {
    /// Creates a list of JSON fields, such as `user`. The model is read too, for its scope and for these uses.
    #[must_use]
    pub fn new<'a>(fields: impl IntoIterator<Item = &'a str>, uses: Uses) -> Self {
        let mut fields: Vec<Box<str>> = fields.into_iter().map(Into::into).collect();
        let has_fields = !fields.is_empty();
        // The model is read in any case.
        fields.retain(|field| **field != *MODEL);
        fields.sort_unstable();
        fields.dedup();
        Self::from_parts(fields, has_fields, uses, Budget::default())
    }

    fn from_parts(fields: Vec<Box<str>>, has_fields: bool, uses: Uses, budget: Budget) -> Self {
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

    /// Sets the memory for all bodies together.
    #[cfg(test)]
    pub(super) fn with_budget(self, budget: Budget) -> Self {
        let Inner {
            fields,
            has_fields,
            uses,
            ..
        } = &*self.inner;
        Self::from_parts(fields.clone(), *has_fields, *uses, budget)
    }

    pub(super) fn budget(&self) -> &Budget {
        &self.inner.budget
    }

    /// Returns true if the body of a request is read. A request with a deployment in its path has its scope from the path.
    pub(super) fn is_read(&self, is_in_path: bool) -> bool {
        !is_in_path || self.inner.has_fields || self.inner.uses.is_replaced_beside_path
    }

    /// Returns true if something depends on the model in the body; see [`Uses`].
    pub(super) fn is_decisive(&self, is_in_path: bool) -> bool {
        let Uses {
            is_routed,
            is_replaced,
            is_replaced_beside_path,
        } = self.inner.uses;
        is_routed || is_replaced_beside_path && is_in_path || is_replaced && !is_in_path
    }

    /// Returns true if the extracted values go into the extensions of the request, as `Extracted`.
    pub(super) fn is_extracted(&self) -> bool {
        let Uses {
            is_routed,
            is_replaced,
            is_replaced_beside_path,
        } = self.inner.uses;
        self.inner.has_fields || is_routed || is_replaced || is_replaced_beside_path
    }

    /// Returns the number of fields, including the model.
    pub(super) fn len(&self) -> usize {
        self.inner.fields.len() + 1
    }

    /// Returns the index of a field. The model has index 0.
    pub(super) fn find(&self, name: &[u8], is_decisive: bool) -> Option<usize> {
        let is_model = if is_decisive {
            // `encoding/json` of Go ignores the case of names, and so do the backends that use it.
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

/// Returns the largest number of bytes to read of a body. The limit applies to received bytes and to decoded bytes.
pub(super) fn limit(is_decisive: bool) -> u64 {
    if is_decisive {
        LIMIT_OF_DECISIVE
    } else {
        LIMIT
    }
}

const MODEL: &str = "model";

/// Most chat requests are smaller. Without the model, a larger request has the scope of its path, which costs little.
const LIMIT: u64 = 1 << 20;

/// The default limit of a replay body: chats with images are large.
const LIMIT_OF_DECISIVE: u64 = 32 << 20;
