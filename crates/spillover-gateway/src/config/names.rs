//! The order of names, and the known name that a misspelt one resembles.

use std::{cmp::Ordering, iter};

/// Compares names as people list them: case does not matter, and `2` comes before `10`.
pub(super) fn natural(a: &str, b: &str) -> Ordering {
    parts(a).cmp(parts(b)).then_with(|| a.cmp(b))
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Part<'a> {
    /// Number of digits, and the digits without leading zeros. Both together compare like the number.
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

/// Returns the known name that is most like this one, if any is like it.
pub(super) fn closest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .filter_map(|known| Some((likeness(known, name)?, known)))
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, known)| known)
}

/// Returns how alike two names are, if they have a common start (`DEPLOYMENT`) or few typing errors (`ULR`).
fn likeness(a: &str, b: &str) -> Option<f64> {
    let start = strsim::jaro_winkler(a, b);
    let errors = strsim::normalized_damerau_levenshtein(a, b);
    (start > COMMON_START || errors > FEW_ERRORS).then(|| start.max(errors))
}

/// Unrelated names reach 0.71.
const COMMON_START: f64 = 0.75;

/// Just below one error in three letters.
const FEW_ERRORS: f64 = 0.66;
