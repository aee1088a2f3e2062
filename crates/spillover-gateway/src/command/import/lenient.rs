use std::{borrow::Cow, ops::Range};

use super::csharp::bracketed;

/// Turns a policy into XML that a parser takes. In its expressions, `@(...)` and `@{...}`, quotes and angle brackets need no
/// escapes. Line ends in attributes are kept, because comments end with them.
pub(super) fn well_formed(xml: &str) -> Cow<'_, str> {
    match roxmltree::Document::parse(xml) {
        Ok(document) => keep_lines(xml, &document).into(),
        Err(_) => escape_expressions(xml).into(),
    }
}

fn keep_lines(xml: &str, document: &roxmltree::Document<'_>) -> String {
    let mut values: Vec<Range<usize>> = document
        .descendants()
        .flat_map(|node| node.attributes().map(|attribute| attribute.range_value()))
        .collect();
    values.sort_by_key(|range| range.start);

    let mut text = String::with_capacity(xml.len());
    let mut done = 0;
    for range in values {
        text.push_str(&xml[done..range.start]);
        text.push_str(&xml[range.clone()].replace('\n', LINE_END));
        done = range.end;
    }
    text.push_str(&xml[done..]);
    text
}

fn escape_expressions(xml: &str) -> String {
    let mut text = String::with_capacity(xml.len());
    let mut rest = xml;
    while let Some(at) = next_special(rest) {
        text.push_str(&rest[..at]);
        rest = &rest[at..];
        let (length, is_expression) = match rest.strip_prefix("<!--") {
            Some(comment) => (comment.find("-->").map_or(rest.len(), |end| end + 7), false),
            None => match bracketed(&rest[1..]) {
                Some(length) => (length + 1, true),
                None => (1, false),
            },
        };
        let (this, after) = rest.split_at(length);
        if is_expression {
            escape(this, &mut text);
        } else {
            text.push_str(this);
        }
        rest = after;
    }
    text.push_str(rest);
    text
}

/// Returns the start of the next comment or expression.
fn next_special(text: &str) -> Option<usize> {
    ["<!--", "@{", "@("]
        .into_iter()
        .filter_map(|start| text.find(start))
        .min()
}

fn escape(expression: &str, text: &mut String) {
    for (at, c) in expression.char_indices() {
        match c {
            '"' => text.push_str("&quot;"),
            '<' => text.push_str("&lt;"),
            '>' => text.push_str("&gt;"),
            '&' if !is_entity(&expression[at..]) => text.push_str("&amp;"),
            '\n' => text.push_str(LINE_END),
            _ => text.push(c),
        }
    }
}

fn is_entity(text: &str) -> bool {
    ["&quot;", "&amp;", "&lt;", "&gt;", "&apos;", "&#"]
        .into_iter()
        .any(|entity| text.starts_with(entity))
}

/// The first is the line end that the attribute has; the second, which becomes a space, keeps the numbers of lines.
const LINE_END: &str = "&#10;\n";
