use super::{
    drafts::Drafts,
    key::{self, Key},
    service_link::is_service_link,
};
use crate::config::{Problem, error::Problems, order::natural, variables::Variables};

/// Sorts out the variables that end with no known key: misspelt ones become problems, the names of the rest are returned.
pub(super) fn sort_out(
    variables: &Variables,
    drafts: &Drafts,
    problems: &mut Problems,
) -> Vec<String> {
    let mut ignored = Vec::new();
    for (name, spellings) in variables.with_prefix(key::PREFIX) {
        if Key::split(name).is_some() {
            continue;
        }
        let places = spellings.places().map(str::to_owned);
        match drafts.owner(name) {
            Some((label, key)) if !is_service_link(name) => {
                let message = misspelt(label, key);
                problems.extend(places.map(|place| Problem::new(place, message.clone())));
            }
            _ => ignored.extend(places),
        }
    }
    ignored.sort_by(|a, b| natural(a, b));
    ignored
}

fn misspelt(label: &str, key: &str) -> String {
    match Key::closest(key) {
        Some(meant) => format!("an unknown key; did you mean {}?", meant.variable(label)),
        None => format!(
            "an unknown key; expected BACKEND_{label} with _URL, _PRIORITY, _APIKEY, _AUTH, _DEPLOYMENT_NAME, _KIND or _PROTOCOL"
        ),
    }
}
