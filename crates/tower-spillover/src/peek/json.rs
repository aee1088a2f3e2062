//! JSON that may be an error in place of a success.

use std::ops::ControlFlow;

use serde_json::Value;

/// Finds the error at the beginning of a JSON object, of the first line of many (NDJSON), or of an array of them.
///
/// Only a body whose first key is `error` is read. Bodies of objects that have failed, such as a batch, begin with another key.
#[derive(Debug, Default)]
pub(super) struct Parser {
    text: Vec<u8>,
}

/// The beginning of a body.
enum Start {
    /// All bytes so far may begin an error.
    Unknown,
    /// An object whose first key is `error` begins at this place.
    Error(usize),
    Other,
}

impl Parser {
    /// Reads the next chunk. Calls `look` with the object that begins with `error`, or with `None` for any other body.
    pub(super) fn feed<T>(
        &mut self,
        chunk: &[u8],
        look: impl FnOnce(Option<&[u8]>) -> ControlFlow<T>,
    ) -> ControlFlow<T> {
        // Nearly every body is told by its first chunk, which needs no copy.
        if self.text.is_empty() && matches!(start(chunk), Start::Other) {
            return look(None);
        }
        self.text.extend_from_slice(chunk);
        let begin = match start(&self.text) {
            Start::Unknown => return ControlFlow::Continue(()),
            Start::Other => return look(None),
            Start::Error(begin) => begin,
        };
        let text = &self.text[begin..];
        let mut values = serde_json::Deserializer::from_slice(text).into_iter::<Value>();
        match values.next() {
            Some(Ok(_)) => look(Some(&text[..values.byte_offset()])),
            Some(Err(error)) if error.is_eof() && text.len() < MAX_LEN => ControlFlow::Continue(()),
            _ => look(None),
        }
    }
}

fn start(text: &[u8]) -> Start {
    let mut at = 0;
    if text.starts_with(MARK) {
        at = MARK.len();
    } else if MARK.starts_with(text) {
        return Start::Unknown;
    }
    at += blanks(&text[at..]);
    if text[at..].starts_with(b"[") {
        at += 1;
    }
    at += blanks(&text[at..]);
    let begin = at;
    for token in [&b"{"[..], b"\"error\"", b":"] {
        at += blanks(&text[at..]);
        let rest = &text[at..];
        if rest.starts_with(token) {
            at += token.len();
        } else if token.starts_with(rest) || rest.is_empty() {
            return Start::Unknown;
        } else {
            return Start::Other;
        }
    }
    Start::Error(begin)
}

/// Returns the number of blanks at the beginning.
fn blanks(text: &[u8]) -> usize {
    text.len() - text.trim_ascii_start().len()
}

/// The byte order mark.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// Bytes of an error that are read at most, as of a refusal.
const MAX_LEN: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq)]
    enum Found {
        Error(String),
        Other,
        Unknown,
    }

    /// Feeds a text in chunks of this size.
    fn feed(text: &str, size: usize) -> Found {
        let mut parser = Parser::default();
        let mut chunks = text.as_bytes().chunks(size);
        let found = chunks.find_map(|chunk| {
            let flow = parser.feed(chunk, |error| {
                ControlFlow::Break(error.map_or(Found::Other, |error| {
                    Found::Error(String::from_utf8_lossy(error).into_owned())
                }))
            });
            flow.break_value()
        });
        found.unwrap_or(Found::Unknown)
    }

    #[test]
    fn error_at_the_beginning_is_found_in_chunks_of_any_size() {
        let error = r#"{"error": {"code":429,"message":"}\"{"}}"#;
        for text in [
            error.to_owned(),
            format!("\u{feff}\n {error}"),
            format!("[{error}\n"),
            format!("[ {error}, {{\"a\":1}}]"),
            format!("{error}\n{{\"done\":true}}\n"),
        ] {
            for size in 1..=text.len() {
                assert_eq!(
                    feed(&text, size),
                    Found::Error(error.to_owned()),
                    "{text} {size}"
                );
            }
        }
    }

    #[test]
    fn other_bodies_are_told_by_their_first_key() {
        for text in [
            r#"{"id":"a","error":{"code":429}}"#,
            r#"{"errors":[]}"#,
            r#"{"error""#,
            "[1]",
            "\"error\"",
            "null",
            "{}",
            "x",
        ] {
            for size in 1..=text.len() {
                assert!(
                    !matches!(feed(text, size), Found::Error(_)),
                    "{text} {size}"
                );
            }
        }
        assert_eq!(feed(r#"{"id":"#, 1), Found::Other);
        assert_eq!(feed("  \n", 1), Found::Unknown);
    }

    #[test]
    fn malformed_and_endless_errors_are_other_bodies() {
        assert_eq!(feed(r#"{"error":]"#, 1), Found::Other);
        let endless = format!(r#"{{"error":"{}"#, "x".repeat(MAX_LEN));
        assert_eq!(feed(&endless, 1 << 12), Found::Other);
    }
}
