use super::{Candidates, Strategy};

/// Draws by weight. This is the default.
#[derive(Clone, Copy, Debug, Default)]
pub struct Weighted {
    _priv: (),
}

impl Weighted {
    pub(in super::super) const DEFAULT: Self = Self { _priv: () };
}

impl Strategy for Weighted {
    fn choose(&self, candidates: &Candidates<'_>, draw: u64) -> usize {
        candidates.by_weight(draw)
    }
}
