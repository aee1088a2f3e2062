use std::{error::Error, fmt, sync::Arc, time::Duration};

/// Why no token came.
///
/// The text is of one line and bounded, and nothing in it can be a token or a secret: endpoints are known to repeat what
/// they were sent, so whatever is as long as a secret is left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure(Arc<str>);

impl Failure {
    /// A failure for this reason.
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

/// There is no valid token now. It is the operator's to read, and not a client's: it can name the identity.
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

/// The variables of the environment do not make an identity.
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

/// What is in no secret that Entra ID issues: these are the characters of JWTs (RFC 7515 section 3) and client secrets.
fn ends_secret(char: char) -> bool {
    !(char.is_ascii_alphanumeric() || "-_.~=+".contains(char))
}

/// Client secrets have 40 characters. Identifiers, which help to find the reason, have 36.
const SHORTEST_SECRET: usize = 38;

/// Enough for what Entra ID explains.
const MAX_CHARS: usize = 400;
