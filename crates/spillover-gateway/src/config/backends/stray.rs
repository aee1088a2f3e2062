use super::{
    drafts::Drafts,
    key::{self, Key},
};
use crate::config::{Problem, error::Problems, names::natural, variables::Variables};

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

/// Whether Kubernetes sets such a variable for a service: `<SERVICE>_SERVICE_HOST`, `<SERVICE>_PORT_80_TCP` and the like.
/// The name is in upper case.
///
/// See <https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables>.
fn is_service_link(name: &str) -> bool {
    let parts: Vec<_> = name.split('_').collect();
    match *parts {
        [.., "SERVICE", "HOST"] | [.., "PORT"] => true,
        [.., "PORT", port, protocol] | [.., "PORT", port, protocol, "PROTO" | "ADDR"]
            if is_number(port) && matches!(protocol, "TCP" | "UDP" | "SCTP") =>
        {
            true
        }
        _ => parts
            .windows(2)
            .rev()
            .skip(1)
            .any(|pair| pair == ["SERVICE", "PORT"]),
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}
