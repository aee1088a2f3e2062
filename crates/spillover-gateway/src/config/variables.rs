use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    fmt,
};

use super::{Problem, flags::Flags};

/// Environment variables that are not empty, by their names in upper case; and the flags that override them.
pub(super) struct Variables {
    /// More than one setting of a name is a mistake: the names differ in case only.
    settings: BTreeMap<String, Vec<Setting>>,
    flags: BTreeMap<&'static str, Setting>,
}

impl Variables {
    pub(super) fn new(
        flags: &Flags,
        variables: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Self {
        let mut settings = BTreeMap::<_, Vec<_>>::new();
        for (name, value) in variables {
            // Names are printed: characters that could steer a terminal do not pass.
            let name = name.to_string_lossy().replace(char::is_control, "\u{FFFD}");
            if let Some(setting) = Setting::new(&*name, &value) {
                let of_name = settings.entry(name.to_ascii_uppercase());
                of_name.or_default().push(setting);
            }
        }
        let flags = flags.by_variable().into_iter();
        Self {
            settings,
            flags: flags
                .filter_map(|(name, flag)| Some((name, flag?.setting(name)?)))
                .collect(),
        }
    }

    /// Reads the flag, or else the variable of this name. Returns the value and its place.
    pub(super) fn read<T>(
        &self,
        name: &'static str,
        parse: impl FnOnce(&str) -> Result<T, &'static str>,
    ) -> Result<Option<(T, String)>, Problem> {
        let setting = match self.flags.get(name) {
            Some(flag) => Some(flag),
            None => self.named(name)?,
        };
        setting.map(|setting| setting.read_at(parse)).transpose()
    }

    /// Returns true if the flag for this variable is set.
    pub(super) fn has_flag(&self, name: &str) -> bool {
        self.flags.contains_key(name)
    }

    /// Returns the variable of this name, which is in upper case.
    pub(super) fn named(&self, name: &str) -> Result<Option<&Setting>, Problem> {
        let spellings = self.settings.get(name);
        spellings.map(|spellings| only(spellings)).transpose()
    }

    /// Returns the variables whose names start with `prefix`: the rest of the name in upper case, and the settings.
    pub(super) fn with_prefix(
        &self,
        prefix: &'static str,
    ) -> impl Iterator<Item = (&str, &[Setting])> {
        self.settings
            .range(prefix.to_owned()..)
            .map_while(move |(name, settings)| Some((name.strip_prefix(prefix)?, &**settings)))
    }
}

/// Returns the only setting of a name.
pub(super) fn only(spellings: &[Setting]) -> Result<&Setting, Problem> {
    if let [setting] = spellings {
        return Ok(setting);
    }
    let mut places: Vec<_> = spellings.iter().map(Setting::place).collect();
    places.sort_unstable();
    Err(Problem::new(
        places.join(" and "),
        "set more than once, as case does not matter; expected one of them",
    ))
}

/// A value and the place where it is set: a variable as it is spelled, or a flag.
///
/// The value leaves only through [`read`](Self::read), and a refusal is a fixed text. So no value reaches a message.
#[derive(Clone)]
pub(super) struct Setting {
    place: String,
    /// `None` when the value is not Unicode.
    text: Option<String>,
}

impl Setting {
    /// Creates the setting. Returns `None` for a blank value: it counts as not set.
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

    /// Reads the value by `parse`, which fails with the expected text.
    pub(super) fn read<T>(
        &self,
        parse: impl FnOnce(&str) -> Result<T, &'static str>,
    ) -> Result<T, Problem> {
        let text = self.text.as_deref().ok_or("text in UTF-8");
        text.and_then(parse)
            .map_err(|expected| Problem::expected(&self.place, expected))
    }

    /// Reads the value, and returns it with its place.
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
