//! As much of C# as a list of objects needs.

/// A part of an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    Text(String),
    /// A name, a number or a keyword.
    Word(String),
    Sign(char),
}

/// A token, and the lines before it.
#[derive(Clone, Debug)]
pub(super) struct Placed {
    pub(super) token: Token,
    pub(super) line: usize,
}

/// The tokens of an expression, without comments.
pub(super) fn tokens(text: &str) -> Vec<Placed> {
    let mut tokens = Vec::new();
    let mut rest = text;
    let mut line = 0;
    while !rest.is_empty() {
        let (token, length) = next(rest);
        let (this, after) = rest.split_at(length);
        tokens.extend(token.map(|token| Placed { token, line }));
        line += this.matches('\n').count();
        rest = after;
    }
    tokens
}

/// The length of what begins with an opening bracket, to the one that closes it.
pub(super) fn bracketed(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < text.len() {
        let (token, length) = next(&text[at..]);
        at += length;
        match token {
            Some(Token::Sign('(' | '{' | '[')) => depth += 1,
            Some(Token::Sign(')' | '}' | ']')) => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

/// The token that a text begins with, and its length; `None` for space and comments. The text is not empty.
fn next(text: &str) -> (Option<Token>, usize) {
    if let Some(comment) = text.strip_prefix("//") {
        return (None, comment.find('\n').map_or(text.len(), |end| end + 2));
    }
    if let Some(comment) = text.strip_prefix("/*") {
        return (None, comment.find("*/").map_or(text.len(), |end| end + 4));
    }
    if let Some(verbatim) = text.strip_prefix("@\"") {
        let (string, length) = verbatim_string(verbatim);
        return (Some(Token::Text(string)), length + 2);
    }
    if let Some(string) = text.strip_prefix('"') {
        let (string, length) = quoted(string, '"');
        return (Some(Token::Text(string)), length + 1);
    }
    if let Some(character) = text.strip_prefix('\'') {
        let (string, length) = quoted(character, '\'');
        return (Some(Token::Text(string)), length + 1);
    }
    let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
    let length = text.find(|c| !is_word(c)).unwrap_or(text.len());
    if length > 0 {
        return (Some(Token::Word(text[..length].to_owned())), length);
    }
    let Some(sign) = text.chars().next() else {
        return (None, text.len());
    };
    let token = (!sign.is_whitespace()).then_some(Token::Sign(sign));
    (token, sign.len_utf8())
}

/// What stands before the closing quote, and the length with it.
fn quoted(text: &str, quote: char) -> (String, usize) {
    let mut string = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            _ if c == quote => return (string, at + c.len_utf8()),
            '\\' => string.extend(chars.next().map(|(_, escaped)| escaped)),
            _ => string.push(c),
        }
    }
    (string, text.len())
}

/// The same of `@"..."`, where a quote is written twice.
fn verbatim_string(text: &str) -> (String, usize) {
    let mut string = String::new();
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if c != '"' {
            string.push(c);
        } else if chars.next_if(|(_, c)| *c == '"').is_some() {
            string.push('"');
        } else {
            return (string, at + 1);
        }
    }
    (string, text.len())
}
