use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    fmt, iter,
};

use super::{Problem, flags::FlagText};

/// The environment variables that are set to something, by their names in upper case.
#[derive(Debug)]
pub(super) struct Variables(BTreeMap<String, Spellings>);

impl Variables {
    pub(super) fn new(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let mut by_name = BTreeMap::<_, Spellings>::new();
        for (name, value) in variables {
            // Names are printed: what could steer a terminal does not pass.
            let name = name.to_string_lossy().replace(char::is_control, "\u{FFFD}");
            let Some(setting) = Setting::new(&*name, &value) else {
                continue;
            };
            by_name
                .entry(name.to_ascii_uppercase())
                .and_modify(|spellings| spellings.more.push(setting.clone()))
                .or_insert_with(|| Spellings {
                    first: setting,
                    more: Vec::new(),
                });
        }
        Self(by_name)
    }

    /// Reads the flag, else the variable of this name.
    pub(super) fn read<T>(
        &self,
        name: &'static str,
        flag: Option<&FlagText>,
        parse: impl FnOnce(&str) -> Result<T, &'static str>,
    ) -> Result<Option<T>, Problem> {
        let set = self.find(name, flag)?;
        set.map(|setting| setting.read(parse)).transpose()
    }

    /// The flag, else the variable of this name.
    pub(super) fn find(
        &self,
        name: &'static str,
        flag: Option<&FlagText>,
    ) -> Result<Option<Setting>, Problem> {
        match flag.and_then(|flag| flag.setting(name)) {
            Some(setting) => Ok(Some(setting)),
            None => Ok(self.named(name)?.cloned()),
        }
    }

    /// The variable of this name, which is in upper case.
    pub(super) fn named(&self, name: &str) -> Result<Option<&Setting>, Problem> {
        self.0.get(name).map(Spellings::only).transpose()
    }

    /// Every variable whose name starts with `prefix`: the rest of its name, in upper case, and what it is set to.
    pub(super) fn with_prefix(
        &self,
        prefix: &'static str,
    ) -> impl Iterator<Item = (&str, &Spellings)> {
        self.0
            .range(prefix.to_owned()..)
            .map_while(move |(name, set)| Some((name.strip_prefix(prefix)?, set)))
    }
}

/// The settings of one name in different case; more than one is a mistake.
#[derive(Debug)]
pub(super) struct Spellings {
    first: Setting,
    more: Vec<Setting>,
}

impl Spellings {
    pub(super) fn first(&self) -> &Setting {
        &self.first
    }

    pub(super) fn only(&self) -> Result<&Setting, Problem> {
        if self.more.is_empty() {
            return Ok(&self.first);
        }
        let mut places: Vec<_> = self.places().collect();
        places.sort_unstable();
        Err(Problem::new(
            places.join(" and "),
            "set more than once, as case does not matter; expected one of them",
        ))
    }

    /// The name as it was spelled, each time.
    pub(super) fn places(&self) -> impl Iterator<Item = &str> {
        iter::once(&self.first)
            .chain(&self.more)
            .map(Setting::place)
    }
}

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
