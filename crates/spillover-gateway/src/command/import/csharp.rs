//! As much of C# as the list of backends in a policy needs.

use std::{borrow::Cow, iter};

/// An object of a list: `new JObject() { { "url", "https://..." }, { "priority", 1 } }`.
pub(super) struct Object {
    /// Number of lines of the expression before it.
    pub(super) line: usize,
    pub(super) fields: Vec<(String, Value)>,
}

/// The value of a field.
pub(super) enum Value {
    Text(String),
    Number(u32),
    /// An expression.
    Other,
}

impl Object {
    pub(super) fn has_url(&self) -> bool {
        let mut names = self.fields.iter().map(|(name, _)| name);
        names.any(|name| name.eq_ignore_ascii_case("url"))
    }
}

/// Returns the objects that an expression creates.
pub(super) fn objects(expression: &str) -> Vec<Object> {
    let tokens: Vec<_> = tokens(expression).collect();
    let mut objects = Vec::new();
    let mut rest = &*tokens;
    while let [(at, first), after @ ..] = rest {
        rest = after;
        let [(_, Token::Word("JObject")), after @ ..] = after else {
            continue;
        };
        if *first != Token::Word("new") {
            continue;
        }
        rest = match after {
            [(_, Token::Sign('(')), (_, Token::Sign(')')), after @ ..] => after,
            _ => after,
        };
        if let Some((inner, after)) = group(rest) {
            objects.push(Object {
                line: expression[..*at].matches('\n').count(),
                fields: fields(inner),
            });
            rest = after;
        }
    }
    objects
}

/// Reads the fields, each of which is `{ "name", value }`.
fn fields(mut tokens: &Tokens<'_>) -> Vec<(String, Value)> {
    let mut fields = Vec::new();
    while !tokens.is_empty() {
        let Some((inner, after)) = group(tokens) else {
            tokens = &tokens[1..];
            continue;
        };
        tokens = after;
        if let [(_, Token::Text(name)), (_, Token::Sign(',')), value @ ..] = inner {
            let value = match value {
                [(_, Token::Text(text))] => Value::Text(text.to_string()),
                [(_, Token::Word(word))] => word.parse().map_or(Value::Other, Value::Number),
                _ => Value::Other,
            };
            fields.push((name.to_string(), value));
        }
    }
    fields
}

/// Splits tokens that begin with `{` into those up to the bracket that closes it, and those after it.
fn group<'a, 't>(tokens: &'a Tokens<'t>) -> Option<(&'a Tokens<'t>, &'a Tokens<'t>)> {
    let [(_, Token::Sign('{')), inner @ ..] = tokens else {
        return None;
    };
    let end = closing(tokens.iter().cloned()).map(|(index, _)| index - 1);
    let (inner, after) = inner.split_at(end.unwrap_or(inner.len()));
    Some((inner, after.get(1..).unwrap_or_default()))
}

/// Returns the length of the text from its opening bracket to the one that closes it.
pub(super) fn bracketed(text: &str) -> Option<usize> {
    closing(tokens(text)).map(|(_, at)| at + 1)
}

/// Returns the number and the place of the token that closes the first bracket.
fn closing<'a>(tokens: impl Iterator<Item = (usize, Token<'a>)>) -> Option<(usize, usize)> {
    let mut depth = 0_usize;
    for (index, (at, token)) in tokens.enumerate() {
        match token {
            Token::Sign('(' | '{' | '[') => depth += 1,
            Token::Sign(')' | '}' | ']') => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some((index, at));
                }
            }
            _ => {}
        }
    }
    None
}

/// Tokens with their places.
type Tokens<'a> = [(usize, Token<'a>)];

#[derive(Clone, PartialEq)]
enum Token<'a> {
    Text(Cow<'a, str>),
    /// A name, a number or a keyword.
    Word(&'a str),
    Sign(char),
}

/// Returns the tokens of an expression with their places, without comments.
fn tokens(text: &str) -> impl Iterator<Item = (usize, Token<'_>)> {
    let mut at = 0;
    let parts = iter::from_fn(move || {
        let start = at;
        let (token, length) = next(text.get(start..).filter(|rest| !rest.is_empty())?);
        at += length;
        Some((start, token))
    });
    parts.filter_map(|(at, token)| Some((at, token?)))
}

/// Returns the first token of a text, and its length; `None` for space and comments. The text is not empty.
fn next(text: &str) -> (Option<Token<'_>>, usize) {
    if let Some(comment) = text.strip_prefix("//") {
        return (None, comment.find('\n').map_or(text.len(), |end| end + 2));
    }
    if let Some(comment) = text.strip_prefix("/*") {
        return (None, comment.find("*/").map_or(text.len(), |end| end + 4));
    }
    for (start, quote, escape) in [("@\"", '"', '"'), ("\"", '"', '\\'), ("'", '\'', '\\')] {
        if let Some(string) = text.strip_prefix(start) {
            let (string, length) = unquoted(string, quote, escape);
            return (Some(Token::Text(string.into())), start.len() + length);
        }
    }
    let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
    let length = text.find(|c| !is_word(c)).unwrap_or(text.len());
    if length > 0 {
        return (Some(Token::Word(&text[..length])), length);
    }
    let sign = text.chars().next().unwrap_or_default();
    let token = (!sign.is_whitespace()).then_some(Token::Sign(sign));
    (token, sign.len_utf8())
}

/// Returns the string before the closing quote, and the length with the quote. In `@"..."`, a quote escapes a quote.
fn unquoted(text: &str, quote: char, escape: char) -> (String, usize) {
    let mut string = String::new();
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let is_escape =
            c == escape && (c != quote || chars.peek().is_some_and(|(_, c)| *c == quote));
        if is_escape {
            string.extend(chars.next().map(|(_, escaped)| escaped));
        } else if c == quote {
            return (string, at + c.len_utf8());
        } else {
            string.push(c);
        }
    }
    (string, text.len())
}
