//! The order of names, and the known name that a misspelt one resembles.

use std::cmp::Ordering;

/// Compares names as people list them: case does not matter, and `2` comes before `10`.
pub(super) fn natural(a: &str, b: &str) -> Ordering {
    parts(a).cmp(parts(b)).then_with(|| a.cmp(b))
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Part<'a> {
    /// Number of digits, and the digits without leading zeros. Both together compare like the number.
    Number(usize, &'a [u8]),
    Other(u8),
}

fn parts(text: &str) -> impl Iterator<Item = Part<'_>> {
    let runs = text
        .as_bytes()
        .chunk_by(|a, b| a.is_ascii_digit() && b.is_ascii_digit());
    runs.map(|run| {
        if !run[0].is_ascii_digit() {
            return Part::Other(run[0].to_ascii_lowercase());
        }
        let zeros = run.iter().take_while(|digit| **digit == b'0').count();
        Part::Number(run.len() - zeros, &run[zeros..])
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
