use super::key::Key;
use crate::config::{Problem, error::Problems, flags::FlagText, variables::Setting};

/// Reads the `number`th `--backend` flag. Returns the label, and the settings that are not blank.
pub(super) fn read(
    number: usize,
    text: &FlagText,
    problems: &mut Problems,
) -> Option<(String, Vec<(Key, Setting)>)> {
    let flag = Setting::new(format!("--backend #{number}"), text.as_os_str())?;
    let (label, pairs) = problems.keep(flag.read(split).map(Some))?;

    // The label is printed from here on: text with keys after it is a label, not a stray secret.
    let label = label.replace(char::is_control, "\u{FFFD}");
    let mut settings = Vec::new();
    for (name, value) in pairs {
        match key(&name, &label) {
            Ok(key) => {
                let setting = Setting::new(key.flag(&label), value.as_ref());
                settings.extend(setting.map(|setting| (key, setting)));
            }
            Err(message) => problems.add(Problem::new(format!("--backend {label}"), message)),
        }
    }
    Some((label, settings))
}

/// Splits a flag into the label, and the texts left and right of each `=`.
fn split(text: &str) -> Result<(String, Pairs), &'static str> {
    let mut parts = text.split(',').map(str::trim);
    let label = parts.next().unwrap_or_default();
    let pairs: Option<Pairs> = parts
        .filter(|part| !part.is_empty())
        .map(|part| part.split_once('='))
        .map(|pair| pair.map(|(key, value)| (key.trim().to_owned(), value.to_owned())))
        .collect();
    let is_label = !label.is_empty() && !label.contains('=');
    pairs
        .filter(|pairs| is_label && !pairs.is_empty())
        .map(|pairs| (label.to_owned(), pairs))
        .ok_or("LABEL,KEY=VALUE,..., such as 1,url=https://name.openai.azure.com,priority=1")
}

type Pairs = Vec<(String, String)>;

/// Returns the key of this name, or the reason to refuse it. The reason does not repeat the name, which may be a part of a
/// value.
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
