use std::{ops::Range, sync::Arc};

use bytes::Bytes;

use super::{
    Edit, Fields, ModelName, Unreadable,
    budget::Taken,
    form::{Boundary, FormScan},
    json::JsonScan,
};
use crate::coding::Coding;

/// The fields that were read from a request body, in the extensions of the request. Clones share them.
#[derive(Clone, Debug)]
pub struct Extracted {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    fields: Fields,
    values: Vec<FieldValue>,
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

/// The value of a field.
#[derive(Debug)]
pub(super) struct FieldValue {
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

impl Extracted {
    pub(super) fn of_json(fields: Fields, scan: JsonScan) -> Self {
        let (values, first) = scan.into_extracted();
        let insert = first.map(|(at, is_empty)| Insert::Field(at, is_empty));
        Self::new(fields, Format::Json, values, insert)
    }

    pub(super) fn of_form(fields: Fields, scan: FormScan) -> Self {
        let (found, first) = scan.into_extracted();
        let insert = first.map(|(at, boundary)| Insert::Part(at, boundary));
        Self::new(fields, Format::Form, found.into_iter().collect(), insert)
    }

    fn new(
        fields: Fields,
        format: Format,
        values: Vec<FieldValue>,
        insert: Option<Insert>,
    ) -> Self {
        let inner = Inner {
            fields,
            values,
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
    pub(super) fn unreadable(fields: Fields, unreadable: Unreadable) -> Self {
        let mut found = Self::new(fields, Format::Json, Vec::new(), None);
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

    /// Returns the model in the body, if it is a string.
    #[must_use]
    pub fn model(&self) -> Option<&str> {
        self.text(0).map(|text| text.0)
    }

    /// Returns the string in this field of a JSON body.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        let field = self.inner.fields.find(name.as_bytes(), false)?;
        self.text(field).map(|text| text.0)
    }

    /// Returns true if the path of the request names a deployment.
    #[must_use]
    pub fn is_in_path(&self) -> bool {
        self.inner.is_in_path
    }

    /// Returns the reason why the model cannot be read. `None` where the body was read, or where no use depends on the model.
    #[must_use]
    pub fn unreadable_reason(&self) -> Option<&Unreadable> {
        self.inner.unreadable.as_ref()
    }

    /// Returns the change that puts this model in the place of the one in the body. `None` if the body has none.
    #[must_use]
    pub fn edit_to_replace(&self, model: &ModelName) -> Option<Edit> {
        let (_, place) = self.text(0)?;
        let text = match self.inner.format {
            Format::Json => &model.json,
            Format::Form => &model.plain,
        };
        Some(self.edit(place.clone(), text.clone()))
    }

    /// Returns the change that gives the body this model, in the place of another or as a new field. `None` if that is not
    /// possible. For example a JSON array has no place for a model.
    #[must_use]
    pub fn edit_to_insert(&self, model: &ModelName) -> Option<Edit> {
        if let Some(edit) = self.edit_to_replace(model) {
            return Some(edit);
        }
        let (at, text) = match self.inner.insert.as_ref()? {
            Insert::Field(at, is_empty) => {
                let end: &[u8] = if *is_empty { b"" } else { b"," };
                (*at, [FIELD, &model.json, end].concat())
            }
            Insert::Part(at, boundary) => {
                // A line break could begin another part.
                if model.plain.iter().any(u8::is_ascii_control) {
                    return None;
                }
                let text = [boundary.delimiter(), PART, &model.plain, b"\r\n"].concat();
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
        let found = self
            .inner
            .values
            .iter()
            .find(|value| value.field == field)?;
        Some((found.text.as_deref()?, &found.place))
    }
}

const FIELD: &[u8] = br#""model":"#;
const PART: &[u8] = b"\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\n";
