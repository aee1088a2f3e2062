//! What a sentence says of the kind of an error and of the limit that ran out.

use crate::{
    Candidate, Dimension, Hints, Period, Refusal, Source, When, body::prose, evidence::Evidence,
};

/// Reads a message, after the words and the details of the same error.
pub(crate) fn read_message(message: &str, found: &mut Evidence, hints: &mut Hints) {
    let text: String = message.chars().take(MAX_CHARS).collect();
    let text = text.to_ascii_lowercase();
    // `free-models-per-day`, `tokens_per_minute`
    let phrases = text.replace(['-', '_'], " ");
    // Anthropic has no better word for it than `invalid_request_error`. Nothing quoted stands at the start.
    if text.starts_with("your credit balance is too low") {
        found.push_refusal(Refusal::Quota);
    }
    let period = period(&phrases);
    found.push_limit(dimension(&phrases), period);
    found.said = found.said.or(refusal(&phrases, found.refusal));
    if found.said.is_none() && period.is_long() {
        found.said = Some(Refusal::Quota);
    }

    if !found.is_wait_misleading
        && let Some(wait) = prose::wait(&text)
    {
        hints.slots.push(Candidate {
            dimension: found.dimension,
            period: found.period,
            ..Candidate::stated(Source::Prose, When::After(wait))
        });
    }
}

/// The phrases that tell more than the words beside them; others count only when there is no word.
fn refusal(text: &str, by_word: Option<Refusal>) -> Option<Refusal> {
    let has_any = |phrases: &[&str]| phrases.iter().any(|phrase| text.contains(phrase));
    if has_any(&TOO_LARGE) {
        Some(Refusal::TooLarge)
    } else if has_any(&QUOTA) || (by_word.is_none() && has_any(&QUOTA_IF_ALONE)) {
        Some(Refusal::Quota)
    } else if has_any(&CAPACITY) {
        Some(Refusal::Capacity)
    } else if has_any(&THROTTLED) {
        Some(Refusal::Throttled)
    } else {
        None
    }
}

fn dimension(text: &str) -> Dimension {
    let found = DIMENSIONS.iter().find(|(phrase, _)| text.contains(phrase));
    found.map_or(Dimension::Unspecified, |(_, dimension)| *dimension)
}

/// The period that is named first: later ones are mostly advice.
fn period(text: &str) -> Period {
    let places = PERIODS
        .iter()
        .filter_map(|(phrase, period)| Some((text.find(phrase)?, *period)));
    places.min().map_or(Period::Unknown, |(_, period)| period)
}

const TOO_LARGE: [&str; 6] = [
    "request too large",
    "maximum context length",
    "prompt is too long",
    "input is too long",
    "exceeds the maximum number of tokens",
    "exceeds the context window",
];

const QUOTA: [&str; 6] = [
    "credit balance is too low",
    "insufficient credits",
    "insufficient balance",
    "spend limit",
    "call volume quota",
    "quota will be replenished",
];

/// Gemini says this of limits per minute, with a word that says better what it is; OpenAI says it of an empty account.
const QUOTA_IF_ALONE: [&str; 2] = ["exceeded your current quota", "billing details"];

const CAPACITY: [&str; 4] = [
    "high demand",
    "overloaded",
    "at capacity",
    "capacity exceeded",
];

/// GitHub says this with 403, and not always with a header:
/// <https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api#exceeding-the-rate-limit>.
const THROTTLED: [&str; 2] = ["secondary rate limit", "abuse detection mechanism"];

const DIMENSIONS: [(&str, Dimension); 20] = [
    ("input tokens", Dimension::InputTokens),
    ("input token rate", Dimension::InputTokens),
    ("output tokens", Dimension::OutputTokens),
    ("prompt bytes", Dimension::PromptBytes),
    ("images per min", Dimension::InputImages),
    ("(tpm)", Dimension::Tokens),
    ("(tpd)", Dimension::Tokens),
    ("tokens per", Dimension::Tokens),
    ("token rate limit", Dimension::Tokens),
    ("tokens rate limit", Dimension::Tokens),
    ("too many tokens, please wait", Dimension::Tokens),
    ("(rpm)", Dimension::Requests),
    ("(rpd)", Dimension::Requests),
    ("requests per", Dimension::Requests),
    ("call rate limit", Dimension::Requests),
    ("request rate limit", Dimension::Requests),
    ("requests rate limit", Dimension::Requests),
    ("too many requests, please wait", Dimension::Requests),
    ("call volume", Dimension::Requests),
    ("api calls", Dimension::Requests),
];

const PERIODS: [(&str, Period); 16] = [
    ("per day", Period::Day),
    ("/ day", Period::Day),
    ("/day", Period::Day),
    ("(rpd)", Period::Day),
    ("(tpd)", Period::Day),
    ("per month", Period::Month),
    ("/ month", Period::Month),
    ("/month", Period::Month),
    ("per hour", Period::Hour),
    ("/ hour", Period::Hour),
    ("per min", Period::Minute),
    ("/ min", Period::Minute),
    ("/min", Period::Minute),
    ("(rpm)", Period::Minute),
    ("(tpm)", Period::Minute),
    ("per second", Period::Second),
];

const MAX_CHARS: usize = 4096;
