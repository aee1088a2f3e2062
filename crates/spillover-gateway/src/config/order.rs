use std::{cmp::Ordering, iter};

/// The order in which people list names: case does not matter, and `2` comes before `10`.
pub(super) fn natural(a: &str, b: &str) -> Ordering {
    parts(a).cmp(parts(b)).then_with(|| a.cmp(b))
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Part<'a> {
    /// The number of digits, and the digits, without leading zeros: compares like the number, however long.
    Number(usize, &'a str),
    Other(char),
}

fn parts(text: &str) -> impl Iterator<Item = Part<'_>> {
    let mut rest = text;
    iter::from_fn(move || {
        let after = rest.trim_start_matches(|c: char| c.is_ascii_digit());
        let digits = &rest[..rest.len() - after.len()];
        if digits.is_empty() {
            let mut chars = rest.chars();
            let next = chars.next()?;
            rest = chars.as_str();
            return Some(Part::Other(next.to_ascii_lowercase()));
        }
        rest = after;
        let digits = digits.trim_start_matches('0');
        Some(Part::Number(digits.len(), digits))
    })
}
