use std::io;

use tokio::task::JoinSet;

/// Counts of answered and lost requests.
#[derive(Default)]
pub(super) struct Count {
    pub(super) answered: f64,
    pub(super) lost: f64,
}

impl Count {
    /// Sums the counts of all tasks.
    pub(super) async fn of_all(mut tasks: JoinSet<io::Result<Self>>) -> io::Result<Self> {
        let mut all = Self::default();
        while let Some(count) = tasks.join_next().await {
            let count = count??;
            all.answered += count.answered;
            all.lost += count.lost;
        }
        Ok(all)
    }
}
