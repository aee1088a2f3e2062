//! Reads the kind of an error and the exhausted limit from a sentence.

use crate::{
    Candidate, Dimension, Hints, Period, Refusal, Source, When,
    body::{phrases::Phrases, prose},
    evidence::Evidence,
};

/// Reads a message. Call it after the error's codes and details, which are more reliable.
pub(crate) fn read_message(message: &str, found: &mut Evidence, hints: &mut Hints) {
    let text = start(message).to_ascii_lowercase();
    // Matches `free-models-per-day` and `tokens_per_minute` as words.
    let phrases: Vec<u8> = text.bytes().map(spaced).collect();
    // Vendors send some of these with the code of an invalid request. Matching only the start excludes quoted text.
    if is_used_up(&text) {
        found.push_refusal(Refusal::Quota);
    }
    found.is_missing |= is_missing(&text);
    let period = period(&phrases);
    found.push_limit(dimension(&phrases), period);
    found.said = found.said.or(refusal(&phrases, found.refusal));
    if found.said.is_none() && period.is_long() {
        found.said = Some(Refusal::Quota);
    }

    if found.is_wait_misleading {
        return;
    }
    let wait = prose::wait(&text).map(When::After);
    let date = || prose::date(&text).map(When::At);
    if let Some(when) = wait.or_else(date) {
        hints.slots.push(Candidate {
            dimension: found.dimension,
            period: found.period,
            ..Candidate::stated(Source::Prose, when)
        });
    }
}

/// Returns true if a message begins with the sentence for an account or a window of hours, days or months that is used up.
fn is_used_up(text: &str) -> bool {
    let text = text.trim_start();
    if USED_UP.iter().any(|start| text.starts_with(start)) {
        return true;
    }
    let subject = SUBJECTS.iter().find_map(|start| text.strip_prefix(start));
    // The limit is named at once, so that a quotation further on does not count.
    let near: String = subject.unwrap_or_default().chars().take(40).collect();
    !near.contains(['"', '\'', '`']) && WINDOWS.iter().any(|window| near.contains(window))
}

/// Returns true if a message says that the backend lacks what the request names, or that this account may not use it.
fn is_missing(text: &str) -> bool {
    let text = text.trim();
    // Azure sends exactly this for an API version or a path that a resource does not have.
    text == "resource not found"
        || MISSING
            .iter()
            .any(|(start, rest)| text.starts_with(start) && text.contains(rest))
}

/// Returns the part of a message that is read.
fn start(message: &str) -> &str {
    let mut end = message.len().min(MAX_LEN);
    while !message.is_char_boundary(end) {
        end -= 1;
    }
    &message[..end]
}

fn spaced(byte: u8) -> u8 {
    if matches!(byte, b'-' | b'_') {
        b' '
    } else {
        byte
    }
}

/// Returns the kind of refusal. Some phrases override the error's code; the others count only without a code.
fn refusal(text: &[u8], by_word: Option<Refusal>) -> Option<Refusal> {
    let alone = || by_word.is_none().then(|| ALONE.first(text)).flatten();
    let for_good = FOR_GOOD.first(text).or_else(alone);
    for_good.or_else(|| FOR_NOW.first(text))
}

fn dimension(text: &[u8]) -> Dimension {
    DIMENSIONS.first(text).unwrap_or(Dimension::Unspecified)
}

/// Returns the first period that is named: later ones are mostly advice.
fn period(text: &[u8]) -> Period {
    let first = PERIODS.found(text).min();
    first.map_or(Period::Unknown, |(_, period)| period)
}

/// Beginnings of messages about used-up accounts and windows, in lower case: Anthropic, Z.ai
/// (<https://docs.z.ai/api-reference/api-code>), Codex.
const USED_UP: [&str; 7] = [
    "your credit balance is too low",
    "you have reached your specified api usage limits",
    "you have reached your specified workspace api usage limits",
    "usage limit reached",
    "the usage limit has been reached",
    "weekly/monthly limit exhausted",
    "claude ai usage limit reached",
];

/// Beginnings of messages that name the used-up window next.
const SUBJECTS: [&str; 9] = [
    "you have reached your",
    "you've reached your",
    "you have hit your",
    "you've hit your",
    "you have exceeded your",
    "you've exceeded your",
    "you have used up your",
    "you've used up your",
    "your",
];

const WINDOWS: [&str; 7] = [
    "usage limit",
    "session limit",
    "5-hour limit",
    "daily limit",
    "weekly limit",
    "monthly limit",
    "monthly spend",
];

/// The beginning of a message and a later part of it, in lower case. In this order: Anthropic's missing model and unknown
/// beta, Gemini's missing model and another account's file, Bedrock's models that do not exist or are not open.
const MISSING: [(&str, &str); 6] = [
    ("model: ", ""),
    ("unexpected value(s)", "`anthropic-beta` header"),
    ("models/", "is not found for api version"),
    ("you do not have permission to access the file", ""),
    ("the provided model identifier is invalid", ""),
    ("you don't have access to the model", ""),
];

static FOR_GOOD: Phrases<Refusal, 12> = Phrases::new([
    ("request too large", Refusal::TooLarge),
    ("maximum context length", Refusal::TooLarge),
    ("prompt is too long", Refusal::TooLarge),
    ("input is too long", Refusal::TooLarge),
    ("exceeds the maximum number of tokens", Refusal::TooLarge),
    ("exceeds the context window", Refusal::TooLarge),
    ("credit balance is too low", Refusal::Quota),
    ("insufficient credits", Refusal::Quota),
    ("insufficient balance", Refusal::Quota),
    ("spend limit", Refusal::Quota),
    ("call volume quota", Refusal::Quota),
    ("quota will be replenished", Refusal::Quota),
]);

/// Gemini says this about limits per minute, beside a code that is more exact. OpenAI says it about an empty account.
static ALONE: Phrases<Refusal, 2> = Phrases::new([
    ("exceeded your current quota", Refusal::Quota),
    ("billing details", Refusal::Quota),
]);

/// The last two are GitHub's, sent with 403 and sometimes without a header:
/// <https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api#exceeding-the-rate-limit>.
static FOR_NOW: Phrases<Refusal, 6> = Phrases::new([
    ("high demand", Refusal::Capacity),
    ("overloaded", Refusal::Capacity),
    ("at capacity", Refusal::Capacity),
    ("capacity exceeded", Refusal::Capacity),
    ("secondary rate limit", Refusal::Throttled),
    ("abuse detection mechanism", Refusal::Throttled),
]);

static DIMENSIONS: Phrases<Dimension, 20> = Phrases::new([
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
]);

static PERIODS: Phrases<Period, 16> = Phrases::new([
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
]);

const MAX_LEN: usize = 4096;
