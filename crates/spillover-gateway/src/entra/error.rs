use std::{error::Error, fmt, sync::Arc, time::Duration};

/// The reason why a source gave no token.
///
/// The text is one short line without tokens and secrets. Endpoints may repeat what they were sent, so words as long as a
/// secret are left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure(Arc<str>);

impl Failure {
    /// Creates a failure with this reason.
    pub fn new(reason: impl AsRef<str>) -> Self {
        let words = reason.as_ref().split_whitespace().map(without_secrets);
        let mut text = words.collect::<Vec<_>>().join(" ");
        if let Some((end, _)) = text.char_indices().nth(MAX_CHARS) {
            text.truncate(end);
            text.push_str("...");
        }
        Self(text.into())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for Failure {}

/// Error: there is no valid token. Meant for operators and not for clients, since it can name the identity.
#[derive(Clone, Debug)]
pub struct Missing {
    pub(super) since: Duration,
    pub(super) expired: bool,
    pub(super) failure: Option<Failure>,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.since.as_secs();
        if self.expired {
            write!(f, "the Entra ID token expired {seconds} s ago")?;
        } else {
            write!(f, "no Entra ID token came yet, {seconds} s after the start")?;
        }
        match &self.failure {
            Some(failure) => write!(f, ": {failure}")?,
            None => f.write_str(": the source has not answered")?,
        }
        f.write_str(
            "; set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET, or run with a workload or managed identity \
             (AZURE_CLIENT_ID chooses a user-assigned one)",
        )
    }
}

impl Error for Missing {}

/// Error: the environment variables do not configure an identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unusable {
    pub(super) variable: &'static str,
    pub(super) problem: String,
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.variable, self.problem)
    }
}

impl Error for Unusable {}

fn without_secrets(word: &str) -> String {
    let mut kept = String::with_capacity(word.len());
    for part in word.split_inclusive(ends_secret) {
        let (run, end) = match part.char_indices().next_back() {
            Some((at, last)) if ends_secret(last) => part.split_at(at),
            _ => (part, ""),
        };
        kept.push_str(if run.len() < SHORTEST_SECRET {
            run
        } else {
            "[...]"
        });
        kept.push_str(end);
    }
    kept
}

/// Returns true for characters that no secret of Entra ID has. Secrets are JWTs (RFC 7515 section 3) or client secrets.
fn ends_secret(char: char) -> bool {
    !(char.is_ascii_alphanumeric() || "-_.~=+".contains(char))
}

/// Length from which a word counts as a secret. Client secrets have 40 characters; identifiers, which help to find the
/// reason, have 36.
const SHORTEST_SECRET: usize = 38;

/// Greatest length of a reason, enough for the explanations of Entra ID.
const MAX_CHARS: usize = 400;
