//! Which of the known names was probably meant.

/// The known name that is most like this one, if any is like it.
pub(super) fn closest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|known| (similarity(known, name), known))
        .filter(|(similarity, _)| *similarity > CLOSE)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, known)| known)
}

/// Favours a common start (`DEPLOYMENT`), or few slips of the finger (`ULR`).
fn similarity(a: &str, b: &str) -> f64 {
    strsim::jaro_winkler(a, b).max(strsim::normalized_damerau_levenshtein(a, b))
}

/// Just below one slip in three letters.
const CLOSE: f64 = 0.66;
