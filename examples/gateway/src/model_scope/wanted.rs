use std::{ops::Range, sync::Arc};

use super::budget::Budget;

/// What is to be read of JSON bodies, besides the model for its limits.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    /// Names of fields, beside `model`.
    fields: Arc<[Box<str>]>,
    is_kept: bool,
    is_kept_of_deployments: bool,
    is_model_decisive: bool,
    budget: Budget,
}

impl Wanted {
    /// These fields; and the model itself when requests are routed by it, or it is replaced.
    pub(crate) fn new<'a>(
        fields: impl IntoIterator<Item = &'a str>,
        is_routed: bool,
        is_replaced: bool,
    ) -> Self {
        let mut fields: Vec<Box<str>> = fields.into_iter().map(Into::into).collect();
        let has_fields = !fields.is_empty();
        // It is looked for anyway.
        fields.retain(|field| **field != *MODEL);
        fields.sort_unstable();
        fields.dedup();
        let is_kept_of_deployments = is_replaced || has_fields;
        Self {
            fields: fields.into(),
            is_kept: is_routed || is_kept_of_deployments,
            is_kept_of_deployments,
            is_model_decisive: is_routed || is_replaced,
            budget: Budget::default(),
        }
    }

    /// Of all bodies together, only so much is kept.
    #[cfg(test)]
    pub(super) fn with_budget(self, budget: Budget) -> Self {
        Self { budget, ..self }
    }

    pub(super) fn budget(&self) -> &Budget {
        &self.budget
    }

    /// Bodies of more bytes are not read, and of others not more of them.
    pub(super) fn limit(&self) -> u64 {
        if self.is_model_decisive {
            LIMIT_OF_DECISIVE
        } else {
            LIMIT
        }
    }

    /// Whether the model says where a request goes, or is replaced: then a body is read to its end, and there must not be a
    /// second one. Which of two is the model, the backend may see otherwise.
    pub(super) fn is_model_decisive(&self) -> bool {
        self.is_model_decisive
    }

    /// How many fields there are, with the model.
    pub(super) fn len(&self) -> usize {
        self.fields.len() + 1
    }

    /// The number of a field; 0 is the model.
    pub(super) fn find(&self, name: &[u8]) -> Option<usize> {
        let is_model = if self.is_model_decisive {
            // Go's `encoding/json` does not mind the case, and with it many a backend.
            name.eq_ignore_ascii_case(MODEL.as_bytes())
        } else {
            name == MODEL.as_bytes()
        };
        if is_model {
            return Some(0);
        }
        let mut fields = self.fields.iter();
        let index = fields.position(|field| field.as_bytes() == name)?;
        Some(index + 1)
    }

    /// Whether what is found is told.
    pub(super) fn is_kept(&self) -> bool {
        self.is_kept
    }

    /// Whether it is of requests as well whose path says what limits apply.
    pub(super) fn is_kept_of_deployments(&self) -> bool {
        self.is_kept_of_deployments
    }
}

/// In the request's extensions: what was found in its body.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    wanted: Wanted,
    texts: Vec<Text>,
}

/// What a field has.
#[derive(Debug)]
pub(super) struct Text {
    pub(super) field: usize,
    /// `None` where it is no string.
    pub(super) text: Option<String>,
    /// Where it stands, with its quotes.
    pub(super) place: Range<usize>,
}

impl Found {
    pub(super) fn new(wanted: Wanted, texts: Vec<Text>) -> Self {
        Self {
            inner: Arc::new(Inner { wanted, texts }),
        }
    }

    pub(crate) fn model(&self) -> Option<&str> {
        self.text(0).map(|(text, _)| text)
    }

    /// Where the model stands in the body, with its quotes.
    pub(crate) fn place(&self) -> Option<Range<usize>> {
        self.text(0).map(|(_, place)| place.clone())
    }

    /// The string that this field has.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let field = self.inner.wanted.find(name.as_bytes())?;
        self.text(field).map(|(text, _)| text)
    }

    fn text(&self, field: usize) -> Option<(&str, &Range<usize>)> {
        let found = self.inner.texts.iter().find(|text| text.field == field)?;
        Some((found.text.as_deref()?, &found.place))
    }
}

const MODEL: &str = "model";

/// Most chat requests are smaller, and what a larger one is to be taken for is a guess that costs little.
const LIMIT: u64 = 1 << 20;

/// As much as is kept for another attempt by default: chats with images in them are large.
const LIMIT_OF_DECISIVE: u64 = 32 << 20;
