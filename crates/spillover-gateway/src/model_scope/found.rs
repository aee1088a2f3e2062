use std::{ops::Range, sync::Arc};

use bytes::Bytes;

use super::{
    Coding,
    budget::Taken,
    form::{Boundary, FormScan},
    json::JsonScan,
    unreadable::Unreadable,
    wanted::Wanted,
};

/// In the request's extensions: what was found in its body. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    wanted: Wanted,
    texts: Vec<Text>,
    /// The way to put a model into a body that has none.
    insert: Option<Insert>,
    format: Format,
    /// The path of the request names a deployment.
    is_in_path: bool,
    /// The body comes in this coding, and places are counted in the decoded body.
    coding: Option<Coding>,
    /// Bytes of the decoded body, where it was read to its end.
    length: Option<u64>,
    unreadable: Option<Unreadable>,
    _taken: Taken,
}

/// The value of a wanted field.
#[derive(Debug)]
pub(super) struct Text {
    pub(super) field: usize,
    /// `None` where it is no string.
    pub(super) text: Option<String>,
    /// The place of the value, in JSON with its quotes.
    pub(super) place: Range<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Json,
    Form,
}

#[derive(Debug)]
enum Insert {
    /// At this place as the first field of an object. The flag is true when the object has no other field.
    Field(usize, bool),
    /// At this place as the first part of a form.
    Part(usize, Boundary),
}

/// The model of a backend, in the form that bodies have it.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    name: Bytes,
    /// With its quotes.
    json: Bytes,
}

/// A change of a body: the bytes at `place` become `text`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Edit {
    pub(crate) place: Range<usize>,
    pub(crate) text: Bytes,
    /// The body has to be decoded for it, from this coding.
    pub(crate) coding: Option<Coding>,
    /// Bytes of the decoded body before the change, where they were counted.
    pub(crate) length: Option<u64>,
}

impl Model {
    pub(crate) fn new(name: &str) -> Self {
        Self {
            name: Bytes::copy_from_slice(name.as_bytes()),
            json: serde_json::Value::from(name).to_string().into(),
        }
    }
}

impl Found {
    pub(super) fn of_json(wanted: Wanted, scan: JsonScan) -> Self {
        let (texts, first) = scan.into_found();
        let insert = first.map(|(at, is_empty)| Insert::Field(at, is_empty));
        Self::new(wanted, Format::Json, texts, insert)
    }

    pub(super) fn of_form(wanted: Wanted, scan: FormScan) -> Self {
        let (found, first) = scan.into_found();
        let insert = first.map(|(at, boundary)| Insert::Part(at, boundary));
        Self::new(wanted, Format::Form, found.into_iter().collect(), insert)
    }

    fn new(wanted: Wanted, format: Format, texts: Vec<Text>, insert: Option<Insert>) -> Self {
        let inner = Inner {
            wanted,
            texts,
            insert,
            format,
            is_in_path: false,
            coding: None,
            length: None,
            unreadable: None,
            _taken: Taken::default(),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Creates the result for a body whose model cannot be read.
    pub(super) fn unreadable(wanted: Wanted, unreadable: Unreadable) -> Self {
        let mut found = Self::new(wanted, Format::Json, Vec::new(), None);
        found.inner_mut().unreadable = Some(unreadable);
        found
    }

    /// Sets whether the path of the request names a deployment.
    pub(super) fn beside_path(mut self, is_in_path: bool) -> Self {
        self.inner_mut().is_in_path = is_in_path;
        self
    }

    /// Sets the coding in which the body came, and its length when it is decoded.
    ///
    /// The budget of the decoder is kept: an attempt may have to decode the body again.
    pub(super) fn in_coding(mut self, coding: Coding, length: Option<u64>, taken: Taken) -> Self {
        let inner = self.inner_mut();
        inner._taken = taken;
        inner.coding = Some(coding);
        inner.length = length;
        self
    }

    fn inner_mut(&mut self) -> &mut Inner {
        Arc::get_mut(&mut self.inner).expect("no clone was made of it yet")
    }

    pub(crate) fn model(&self) -> Option<&str> {
        self.text(0).map(|text| text.0)
    }

    /// The string that this field of a JSON body has.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let field = self.inner.wanted.find(name.as_bytes(), false)?;
        self.text(field).map(|text| text.0)
    }

    /// Returns true if the path of the request names a deployment.
    pub(crate) fn is_in_path(&self) -> bool {
        self.inner.is_in_path
    }

    /// The reason why the model cannot be read.
    pub(crate) fn why_unreadable(&self) -> Option<&Unreadable> {
        self.inner.unreadable.as_ref()
    }

    /// The change that gives the body this model in the place of the one that it has.
    pub(crate) fn with_model(&self, model: &Model) -> Option<Edit> {
        let (_, place) = self.text(0)?;
        let text = match self.inner.format {
            Format::Json => &model.json,
            Format::Form => &model.name,
        };
        Some(self.edit(place.clone(), text.clone()))
    }

    /// The change that gives the body this model, whether it has one or not. `None` if that is not possible.
    pub(crate) fn with_model_put_in(&self, model: &Model) -> Option<Edit> {
        if let Some(edit) = self.with_model(model) {
            return Some(edit);
        }
        let (at, text) = match self.inner.insert.as_ref()? {
            Insert::Field(at, is_empty) => {
                let end: &[u8] = if *is_empty { b"" } else { b"," };
                (*at, [FIELD, &model.json, end].concat())
            }
            Insert::Part(at, boundary) => {
                // A line break could begin another part.
                if model.name.iter().any(u8::is_ascii_control) {
                    return None;
                }
                let text = [boundary.delimiter(), PART, &model.name, b"\r\n"].concat();
                (*at, text)
            }
        };
        Some(self.edit(at..at, text.into()))
    }

    fn edit(&self, place: Range<usize>, text: Bytes) -> Edit {
        Edit {
            place,
            text,
            coding: self.inner.coding,
            length: self.inner.length,
        }
    }

    fn text(&self, field: usize) -> Option<(&str, &Range<usize>)> {
        let found = self.inner.texts.iter().find(|text| text.field == field)?;
        Some((found.text.as_deref()?, &found.place))
    }
}

const FIELD: &[u8] = br#""model":"#;
const PART: &[u8] = b"\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\n";
