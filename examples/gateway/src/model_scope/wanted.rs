use std::{ops::Range, sync::Arc};

/// What is to be read of JSON bodies, besides the model for its limits.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    /// Names of fields, beside `model`.
    fields: Arc<[Box<str>]>,
    is_kept: bool,
    is_kept_of_deployments: bool,
}

impl Wanted {
    /// These fields; and the model itself when requests are routed by it, or it is replaced.
    pub(crate) fn new<'a>(
        fields: impl IntoIterator<Item = &'a str>,
        is_routed: bool,
        is_replaced: bool,
    ) -> Self {
        let mut fields: Vec<Box<str>> = fields.into_iter().map(Into::into).collect();
        fields.sort_unstable();
        fields.dedup();
        let is_kept_of_deployments = is_replaced || !fields.is_empty();
        Self {
            fields: fields.into(),
            is_kept: is_routed || is_kept_of_deployments,
            is_kept_of_deployments,
        }
    }

    /// How many fields there are, with the model.
    pub(super) fn len(&self) -> usize {
        self.fields.len() + 1
    }

    /// The number of a field; 0 is the model.
    pub(super) fn find(&self, name: &[u8]) -> Option<usize> {
        if name == b"model" {
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

/// A string that a field has.
#[derive(Debug)]
pub(super) struct Text {
    pub(super) field: usize,
    pub(super) text: String,
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
        self.text(0).map(|found| found.text.as_str())
    }

    /// Where the model stands in the body, with its quotes.
    pub(crate) fn place(&self) -> Option<Range<usize>> {
        self.text(0).map(|found| found.place.clone())
    }

    /// The string that this field has.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let field = self.inner.wanted.find(name.as_bytes())?;
        self.text(field).map(|found| found.text.as_str())
    }

    fn text(&self, field: usize) -> Option<&Text> {
        self.inner.texts.iter().find(|text| text.field == field)
    }
}
