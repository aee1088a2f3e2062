use std::{ops::Range, sync::Arc};

use bytes::Bytes;

use super::{
    Edit, Fields, ModelName, Unreadable,
    budget::Reservation,
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
    /// The position at which a model can be inserted into a body that has none.
    insert: Option<Insert>,
    format: Format,
    /// True if the path of the request names a deployment.
    is_in_path: bool,
    /// The coding of the body. Positions are counted in the decoded body.
    coding: Option<Coding>,
    /// The length of the decoded body, if it was read to its end.
    length: Option<u64>,
    unreadable: Option<Unreadable>,
    _reservation: Reservation,
}

/// The value of a field.
#[derive(Debug)]
pub(super) struct FieldValue {
    pub(super) field: usize,
    /// `None` if the value is not a string.
    pub(super) text: Option<String>,
    /// The bytes of the value. In JSON, the quotes belong to it.
    pub(super) range: Range<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Json,
    Form,
}

#[derive(Debug)]
enum Insert {
    /// Insert the model at this position, as the first field of an object. The flag is true if the object has no other
    /// field.
    Field(usize, bool),
    /// Insert the model at this position, as the first part of a form.
    Part(usize, Boundary),
}

impl Extracted {
    pub(super) fn of_json(fields: Fields, scan: JsonScan) -> Self {
        let (values, first) = scan.into_extracted();
        let insert = first.map(|(at, is_empty)| Insert::Field(at, is_empty));
        Self::new(fields, Format::Json, values, insert)
    }

    pub(super) fn of_form(fields: Fields, scan: FormScan) -> Self {
        let (model, first) = scan.into_extracted();
        let insert = first.map(|(at, boundary)| Insert::Part(at, boundary));
        Self::new(fields, Format::Form, model.into_iter().collect(), insert)
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
            _reservation: Reservation::default(),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Creates the result for a body whose model cannot be read.
    pub(super) fn unreadable(fields: Fields, unreadable: Unreadable) -> Self {
        let mut extracted = Self::new(fields, Format::Json, Vec::new(), None);
        extracted.inner_mut().unreadable = Some(unreadable);
        extracted
    }

    /// Sets whether the path of the request names a deployment.
    pub(super) fn in_path(mut self, is_in_path: bool) -> Self {
        self.inner_mut().is_in_path = is_in_path;
        self
    }

    /// Sets the coding in which the body came, and its length when it is decoded.
    ///
    /// The memory of the decoder stays reserved, since an attempt may decode the body again.
    pub(super) fn in_coding(
        mut self,
        coding: Coding,
        length: Option<u64>,
        reservation: Reservation,
    ) -> Self {
        let inner = self.inner_mut();
        inner._reservation = reservation;
        inner.coding = Some(coding);
        inner.length = length;
        self
    }

    fn inner_mut(&mut self) -> &mut Inner {
        Arc::get_mut(&mut self.inner).expect("no clone was made yet")
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

    /// Returns the reason why the model cannot be read. `None` if the body was read, or if nothing depends on the model.
    #[must_use]
    pub fn unreadable_reason(&self) -> Option<&Unreadable> {
        self.inner.unreadable.as_ref()
    }

    /// Returns the change that replaces the model in the body by this one. `None` if the body has no model.
    #[must_use]
    pub fn edit_to_replace(&self, model: &ModelName) -> Option<Edit> {
        let (_, range) = self.text(0)?;
        let text = match self.inner.format {
            Format::Json => &model.json,
            Format::Form => &model.plain,
        };
        Some(self.edit(range.clone(), text.clone()))
    }

    /// Returns the change that replaces the model in the body by this one, or inserts it as a new field. `None` if neither
    /// is possible. For example a JSON array cannot have a model.
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
                // A line break in the name could begin another part.
                if model.plain.iter().any(u8::is_ascii_control) {
                    return None;
                }
                let text = [boundary.delimiter(), PART, &model.plain, b"\r\n"].concat();
                (*at, text)
            }
        };
        Some(self.edit(at..at, text.into()))
    }

    fn edit(&self, range: Range<usize>, text: Bytes) -> Edit {
        Edit {
            range,
            text,
            coding: self.inner.coding,
            length: self.inner.length,
        }
    }

    fn text(&self, field: usize) -> Option<(&str, &Range<usize>)> {
        let value = self
            .inner
            .values
            .iter()
            .find(|value| value.field == field)?;
        Some((value.text.as_deref()?, &value.range))
    }
}

const FIELD: &[u8] = br#""model":"#;
const PART: &[u8] = b"\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\n";
