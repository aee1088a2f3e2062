use std::{ffi::OsStr, fmt};

use super::Problem;

/// A value and the place where it was set: a variable as it was spelled, or a flag.
///
/// The value leaves only through [`read`](Self::read), and a refusal is a fixed text. So no value reaches a message.
#[derive(Clone)]
pub(super) struct Setting {
    place: String,
    /// `None` when the value is not Unicode.
    text: Option<String>,
}

impl Setting {
    /// `None` for a blank value: it counts as not set.
    pub(super) fn new(place: impl Into<String>, value: &OsStr) -> Option<Self> {
        let text = value.to_str().map(str::trim);
        (text != Some("")).then(|| Self {
            place: place.into(),
            text: text.map(str::to_owned),
        })
    }

    pub(super) fn place(&self) -> &str {
        &self.place
    }

    /// Reads the value by `parse`, which fails with what it expected.
    pub(super) fn read<T>(
        &self,
        parse: impl FnOnce(&str) -> Result<T, &'static str>,
    ) -> Result<T, Problem> {
        let text = self.text.as_deref().ok_or("text in UTF-8");
        text.and_then(parse)
            .map_err(|expected| Problem::expected(&self.place, expected))
    }

    /// The same, with the place of the value.
    pub(super) fn read_at<T>(
        &self,
        parse: impl FnOnce(&str) -> Result<T, &'static str>,
    ) -> Result<(T, String), Problem> {
        Ok((self.read(parse)?, self.place.clone()))
    }
}

impl fmt::Debug for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}=[redacted]", self.place)
    }
}
