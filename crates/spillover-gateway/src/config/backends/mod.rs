//! The backends: `--backend` flags and `BACKEND_<label>_<key>` variables, put together by label.

mod draft;
mod flag;
mod key;

use std::collections::BTreeMap;

pub(super) use self::key::PREFIX;
use self::{draft::Draft, key::Key};
use super::{
    Problem,
    error::Problems,
    flags::FlagText,
    names::natural,
    table::BackendTable,
    variables::{Setting, Variables, only},
};

/// Returns the backends with the places of their URLs, and the names of the variables that have no effect.
pub(super) fn find(
    flags: &[FlagText],
    variables: &Variables,
    problems: &mut Problems,
) -> (Vec<(BackendTable, String)>, Vec<String>) {
    let mut drafts = Drafts::new();
    add_flags(&mut drafts, flags, problems);
    add_variables(&mut drafts, variables, problems);
    let ignored = sort_out(variables, &drafts, problems);

    let built = drafts.values().filter_map(|draft| draft.build(problems));
    let mut backends: Vec<_> = built.collect();
    backends.sort_by(|(a, _), (b, _)| {
        let name = |backend: &BackendTable| backend.name.clone().unwrap_or_default();
        let by_priority = a.priority.cmp(&b.priority);
        by_priority.then_with(|| natural(&name(a), &name(b)))
    });
    if drafts.is_empty() && flags.iter().all(FlagText::is_blank) {
        problems.add(nothing_set(&ignored));
    }
    (backends, ignored)
}

/// Drafts by their labels in upper case.
type Drafts = BTreeMap<String, Draft>;

fn add_flags(drafts: &mut Drafts, flags: &[FlagText], problems: &mut Problems) {
    for (number, text) in (1..).zip(flags) {
        let Some((label, settings)) = flag::read(number, text, problems) else {
            continue;
        };
        for (key, setting) in settings {
            let draft = drafts.entry(label.to_ascii_uppercase()).or_default();
            if draft.has(key) {
                let message = "set more than once; expected one of them";
                problems.add(Problem::new(setting.place(), message));
            }
            draft.add(&label, key, setting);
        }
    }
}

/// Adds the variables that no flag overrides.
fn add_variables(drafts: &mut Drafts, variables: &Variables, problems: &mut Problems) {
    for (name, spellings) in variables.with_prefix(PREFIX) {
        let (Some((label, key)), [setting, ..]) = (Key::split(name), spellings) else {
            continue;
        };
        let draft = drafts.entry(label.to_owned()).or_default();
        draft.has_variables = true;
        if !draft.has(key) {
            // Upper case of ASCII changes no length.
            let spelled = setting
                .place()
                .get(PREFIX.len()..PREFIX.len() + label.len());
            draft.add(spelled.unwrap_or(label), key, setting.clone());
            problems.keep(only(spellings).map(Some));
        }
    }
}

/// Sorts out the variables that end with no known key: misspelt ones become problems, the names of the rest are returned.
fn sort_out(variables: &Variables, drafts: &Drafts, problems: &mut Problems) -> Vec<String> {
    let mut ignored = Vec::new();
    for (name, spellings) in variables.with_prefix(PREFIX) {
        if Key::split(name).is_some() {
            continue;
        }
        let places = spellings.iter().map(Setting::place);
        match owner(drafts, name) {
            Some((label, key)) if !is_service_link(name) => {
                let message = misspelt(label, key);
                problems.extend(places.map(|place| Problem::new(place, message.clone())));
            }
            _ => ignored.extend(places.map(str::to_owned)),
        }
    }
    ignored.sort_by(|a, b| natural(a, b));
    ignored
}

/// Returns the label that a variable belongs to, and the rest of its name, both in upper case. It is the longest label that
/// has a URL, or that lacks one while this variable is probably a misspelt URL.
fn owner<'a>(drafts: &Drafts, name: &'a str) -> Option<(&'a str, &'a str)> {
    name.rmatch_indices('_').find_map(|(at, _)| {
        let (label, key) = (&name[..at], &name[at + 1..]);
        let draft = drafts.get(label)?;
        let is_owner = draft.has(Key::Url) || Key::closest(key) == Some(Key::Url);
        is_owner.then_some((label, key))
    })
}

fn misspelt(label: &str, key: &str) -> String {
    match Key::closest(key) {
        Some(meant) => format!("an unknown key; did you mean {}?", meant.variable(label)),
        None => format!(
            "an unknown key; expected BACKEND_{label} with _URL, _PRIORITY, _APIKEY, _AUTH, _DEPLOYMENT_NAME, _KIND or _PROTOCOL"
        ),
    }
}

/// Returns true for a variable that Kubernetes sets for a service, such as `<SERVICE>_SERVICE_HOST` or
/// `<SERVICE>_PORT_80_TCP`. The name is in upper case.
///
/// See <https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables>.
fn is_service_link(name: &str) -> bool {
    let parts: Vec<_> = name.split('_').collect();
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    match *parts {
        [.., "SERVICE", "HOST"] | [.., "PORT"] => true,
        [.., "PORT", port, protocol] | [.., "PORT", port, protocol, "PROTO" | "ADDR"]
            if is_number(port) && matches!(protocol, "TCP" | "UDP" | "SCTP") =>
        {
            true
        }
        // The last pair is `SERVICE_PORT` itself, which ends with `PORT`.
        _ => {
            let mut pairs = parts.windows(2).rev().skip(1);
            pairs.any(|pair| pair == ["SERVICE", "PORT"])
        }
    }
}

fn nothing_set(ignored: &[String]) -> Problem {
    let mut message = String::from(
        "not set, so there is no backend; set it and BACKEND_<LABEL>_PRIORITY, for example \
         BACKEND_1_URL=https://name.openai.azure.com BACKEND_1_PRIORITY=1 BACKEND_1_APIKEY=..., or \
         name a file by --config",
    );
    if !ignored.is_empty() {
        message.push_str("; ignored: ");
        message.push_str(&ignored.join(", "));
    }
    Problem::new(ANY_URL, message)
}

/// The place of backends that are missing.
pub(super) const ANY_URL: &str = "BACKEND_<LABEL>_URL";
