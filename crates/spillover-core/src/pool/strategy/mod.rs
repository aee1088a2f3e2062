//! The choice among the backends of a tier that would take a request.

mod candidates;
mod peak_ewma;
#[cfg(test)]
mod tests;
mod weighted;

pub use self::{
    candidates::{Candidate, Candidates},
    peak_ewma::PeakEwma,
    weighted::Weighted,
};

/// Chooses among the backends of one tier that would take a request now. Closures implement it.
///
/// The pool has chosen the tier before, and has left out its closed backends.
///
/// ```
/// use spillover_core::{Backend, Candidate, Candidates, Pool, Query};
/// use tokio::time::Instant;
///
/// let backend = |label: &str| Backend::builder(label).url("http://upstream.example").build();
/// let pool = Pool::new([backend("a")?, backend("b")?])?;
///
/// let least_busy = |candidates: &Candidates<'_>, _draw: u64| {
///     let least_busy = candidates.iter().min_by_key(Candidate::in_flight);
///     least_busy.map_or(0, |candidate| candidate.index())
/// };
/// let select = || pool.select(&Query::new().strategy(&least_busy), Instant::now(), 0).expect("both are open");
/// let (first, second) = (select(), select());
/// assert_eq!((first.backend().label(), second.backend().label()), ("a", "b"));
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot choose a backend",
    label = "not a `Strategy`",
    note = "bring `Weighted`, `PeakEwma` or a closure that names the types of its arguments and returns the index of a candidate: `|candidates: &Candidates<'_>, draw: u64| 0`"
)]
pub trait Strategy {
    /// Returns the [index](Candidate::index) of the candidate that gets the request; `draw` is a uniform random number.
    ///
    /// The pool may call this method again for the same request, if another request took the backend. An index of no
    /// candidate stands for no opinion: the draw decides then, by weight.
    fn choose(&self, candidates: &Candidates<'_>, draw: u64) -> usize;
}

#[diagnostic::do_not_recommend]
impl<F> Strategy for F
where
    F: Fn(&Candidates<'_>, u64) -> usize,
{
    fn choose(&self, candidates: &Candidates<'_>, draw: u64) -> usize {
        self(candidates, draw)
    }
}
