//! Reads single values. An error is the expected text, and cannot hold the value.

use std::time::Duration;

use clap::ValueEnum;
use http::Uri;
use spillover_core::{Backend, BackendBuilder, BackendKind, Credential};
use tower_spillover::select::WhenExhausted;
use tracing_subscriber::EnvFilter;

use super::{
    LogFormat,
    table::{ClientKeyTable, CredentialTable, Secret},
    value::KindWord,
};

pub(super) fn timeout(text: &str) -> Result<Duration, &'static str> {
    const EXPECTED: &str = "a number of seconds from 0.001 to 86400, such as 100 or 2.5";
    let seconds: f64 = text.parse().map_err(|_| EXPECTED)?;
    if !(0.001..=86_400.0).contains(&seconds) {
        return Err(EXPECTED);
    }
    Ok(Duration::from_secs_f64(seconds))
}

pub(super) fn when_exhausted(text: &str) -> Result<WhenExhausted, &'static str> {
    match &*text.to_ascii_lowercase() {
        "forward" => Ok(WhenExhausted::Forward),
        "reject" => Ok(WhenExhausted::Reject),
        lower => match lower.strip_prefix("wait:") {
            Some(limit) => wait(limit.trim()).map(WhenExhausted::Wait),
            None => Err("forward, reject or wait:<duration>, such as wait:2s"),
        },
    }
}

fn wait(limit: &str) -> Result<Duration, &'static str> {
    if limit.parse::<f64>().is_ok() {
        return Err("a unit after the number of wait:, such as wait:2s or wait:500ms");
    }
    match humantime::parse_duration(limit) {
        Ok(limit) if (Duration::from_millis(1)..=DAY).contains(&limit) => Ok(limit),
        _ => Err("a duration from 1ms to 24h after wait:, such as wait:2s, wait:500ms or wait:1m"),
    }
}

pub(super) fn truth(text: &str) -> Result<bool, &'static str> {
    match &*text.to_ascii_lowercase() {
        "true" | "yes" | "1" => Ok(true),
        "false" | "no" | "0" => Ok(false),
        _ => Err("true or false, yes or no, 1 or 0"),
    }
}

pub(super) fn priority(text: &str) -> Result<u32, &'static str> {
    text.parse()
        .map_err(|_| "a whole number from 0 to 4294967295; a lower one is used first")
}

pub(super) fn api_key(text: &str) -> Result<CredentialTable, &'static str> {
    Credential::api_key(text).map_err(|invalid| invalid.expected())?;
    Ok(CredentialTable::ApiKey(Secret::Inline(text.to_owned())))
}

pub(super) fn bearer(text: &str) -> Result<CredentialTable, &'static str> {
    Credential::bearer(text).map_err(|invalid| invalid.expected())?;
    Ok(CredentialTable::Bearer(Secret::Inline(text.to_owned())))
}

pub(super) fn kind(text: &str) -> Result<KindWord, &'static str> {
    KindWord::from_str(text, true).map_err(|_| "azure, openai or other")
}

pub(super) fn log_format(text: &str) -> Result<LogFormat, &'static str> {
    LogFormat::from_str(text, true).map_err(|_| "auto, text or json")
}

/// Returns the default kind of a backend. `None`: the text is no URL.
pub(super) fn kind_of_url(url: &str) -> Option<KindWord> {
    let uri: Uri = url.parse().ok()?;
    uri.host().map(BackendKind::of_host).map(KindWord::from)
}

pub(super) fn log_filter(text: &str) -> Result<(), &'static str> {
    EnvFilter::try_new(text)
        .map(drop)
        .map_err(|_| "levels, such as info or info,hyper=debug")
}

pub(super) fn threads(text: &str) -> Result<(), &'static str> {
    match text.parse() {
        Ok(1..=1024) => Ok(()),
        _ => Err("a whole number from 1 to 1024"),
    }
}

/// Reads a SHA-256 in hexadecimal digits.
pub(super) fn sha256(digits: &str) -> Result<[u8; 32], &'static str> {
    const EXPECTED: &str = "64 hexadecimal digits, as spillover hash-key prints them";
    if digits.len() != 64 {
        return Err(EXPECTED);
    }
    let mut digest = [0; 32];
    for (position, digit) in digits.chars().enumerate() {
        let digit = digit
            .to_digit(16)
            .and_then(|digit| u8::try_from(digit).ok());
        // The first of two digits is the higher one.
        digest[position / 2] = digest[position / 2] << 4 | digit.ok_or(EXPECTED)?;
    }
    Ok(digest)
}

/// Reads client keys: pairs of a name and the SHA-256 of a key.
pub(super) fn client_keys(text: &str) -> Result<Vec<ClientKeyTable>, &'static str> {
    let pairs = text.split(',').map(str::trim);
    let keys: Vec<_> = pairs
        .filter(|pair| !pair.is_empty())
        .map(client_key)
        .collect::<Result<_, _>>()?;
    // Without any key, all clients are accepted.
    if keys.is_empty() {
        return Err(CLIENT_KEYS);
    }
    Ok(keys)
}

fn client_key(pair: &str) -> Result<ClientKeyTable, &'static str> {
    let (name, digits) = pair.rsplit_once(':').ok_or(CLIENT_KEYS)?;
    let (name, digits) = (name.trim(), digits.trim());
    label(name).map_err(|_| CLIENT_KEYS)?;
    sha256(digits).map_err(|_| CLIENT_KEYS)?;
    Ok(ClientKeyTable {
        name: Some(name.to_owned()),
        sha256: Some(digits.to_owned()),
        ..ClientKeyTable::default()
    })
}

pub(super) fn label(text: &str) -> Result<String, &'static str> {
    probe(text, Backend::builder(text).url(PROBE_URL))
}

pub(super) fn url(text: &str) -> Result<String, &'static str> {
    probe(text, Backend::builder("probe").url(text))
}

pub(super) fn deployment(text: &str) -> Result<String, &'static str> {
    let builder = Backend::builder("probe").url(PROBE_URL);
    probe(text, builder.deployment(text))
}

/// Checks one field. A builder with several would name only the first wrong one.
fn probe(text: &str, builder: BackendBuilder) -> Result<String, &'static str> {
    match builder.build() {
        Ok(_) => Ok(text.to_owned()),
        Err(invalid) => Err(invalid.expected()),
    }
}

const CLIENT_KEYS: &str =
    "NAME:SHA256,..., names and the digests of their keys, which spillover hash-key prints";
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const PROBE_URL: &str = "https://probe.invalid";
