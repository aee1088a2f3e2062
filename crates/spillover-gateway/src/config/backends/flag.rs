use super::key::Key;
use crate::config::{Problem, error::Problems, flags::FlagText, variables::Setting};

/// What one `--backend` flag sets.
#[derive(Debug)]
pub(super) struct Flag {
    pub(super) label: String,
    pub(super) settings: Vec<(Key, Setting)>,
}

impl Flag {
    /// Reads the `number`th `--backend`; `None` when it is blank.
    pub(super) fn read(number: usize, text: &FlagText, problems: &mut Problems) -> Option<Self> {
        let place = format!("--backend #{number}");
        let flag = Setting::new(place, text.as_os_str())?;
        let Parts { label, pairs } = problems.keep(flag.read(Parts::split).map(Some))?;

        // From here on the label is printed: what has keys after it is a label, not a stray secret.
        let label = label.replace(char::is_control, "\u{FFFD}");
        let mut settings = Vec::new();
        for (name, value) in pairs {
            match key(&name, &label) {
                Ok(key) => {
                    let setting = Setting::new(key.flag(&label), value.as_ref());
                    settings.extend(setting.map(|setting| (key, setting)));
                }
                Err(message) => {
                    problems.add(Problem::new(format!("--backend {label}"), message));
                }
            }
        }
        Some(Self { label, settings })
    }
}

struct Parts {
    label: String,
    /// Key and value as they stand left and right of the `=`.
    pairs: Vec<(String, String)>,
}

impl Parts {
    fn split(text: &str) -> Result<Self, &'static str> {
        const EXPECTED: &str =
            "LABEL,KEY=VALUE,..., such as 1,url=https://name.openai.azure.com,priority=1";

        let mut parts = text.split(',').map(str::trim);
        let label = parts.next().unwrap_or_default();
        let pairs: Option<Vec<_>> = parts
            .filter(|part| !part.is_empty())
            .map(|part| part.split_once('='))
            .map(|pair| pair.map(|(key, value)| (key.trim().to_owned(), value.to_owned())))
            .collect();
        match pairs {
            Some(pairs) if !pairs.is_empty() && !label.is_empty() && !label.contains('=') => {
                Ok(Self {
                    label: label.to_owned(),
                    pairs,
                })
            }
            _ => Err(EXPECTED),
        }
    }
}

/// The key of this name, or why it is refused. The refusal does not repeat the name: it may be a part of a value.
fn key(name: &str, label: &str) -> Result<Key, String> {
    let known = Key::named(name);
    let Some(meant) = known.or_else(|| Key::closest(name)) else {
        return Err(
            "an unknown key; expected url, priority, auth, deployment_name, kind or protocol"
                .to_owned(),
        );
    };
    if meant == Key::Apikey {
        return Err(format!(
            "process lists show flags, so no API key is taken here; set it in {}",
            meant.variable(label)
        ));
    }
    known.ok_or_else(|| {
        let meant = meant.flag_name();
        format!("an unknown key; did you mean {meant}?")
    })
}
