//! Which of the known names was probably meant.

/// The known name that is most like this one, if any is like it.
pub(super) fn closest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .filter_map(|known| Some((likeness(known, name)?, known)))
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, known)| known)
}

/// Of names with a common start (`DEPLOYMENT`), or few slips of the finger (`ULR`).
fn likeness(a: &str, b: &str) -> Option<f64> {
    let start = strsim::jaro_winkler(a, b);
    let slips = strsim::normalized_damerau_levenshtein(a, b);
    (start > COMMON_START || slips > FEW_SLIPS).then(|| start.max(slips))
}

/// Names that have nothing to do with each other reach 0.71.
const COMMON_START: f64 = 0.75;

/// Just below one slip in three letters.
const FEW_SLIPS: f64 = 0.66;
