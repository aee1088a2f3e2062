use std::fmt;

use super::SpilloverLayer;

/// A line for each layer, the outermost first, with what it is set to.
impl<C, D, R, T, F> fmt::Display for SpilloverLayer<C, D, R, T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bounds = &self.retry.policy.bounds;
        write!(f, "RetryThrottled    ")?;
        match bounds.max_attempts {
            Some(max) => write!(f, "at most {max} attempts")?,
            None => write!(f, "as many attempts as there are backends")?,
        }
        if let Some(deadline) = bounds.deadline {
            write!(f, ", none begun after {deadline:?}")?;
        }
        writeln!(f)?;

        if let Some(hedge) = &self.hedge {
            writeln!(
                f,
                "Hedge             a second attempt after {:?}",
                hedge.settings.delay
            )?;
        }

        write!(f, "PrioritySelect    ")?;
        for (i, backend) in self.select.selector.pool.backends().enumerate() {
            let comma = if i > 0 { ", " } else { "" };
            write!(f, "{comma}{} ({})", backend.label(), backend.priority())?;
        }
        let when_exhausted = self.select.selector.when_exhausted;
        writeln!(f, "; when all are closed: {when_exhausted:?}")?;

        let limits = self.peek.streams.limits;
        writeln!(f, "RewriteRequest    address and credential of the backend")?;
        writeln!(f, "ThrottleTracker   closes what refuses")?;
        write!(
            f,
            "Peek              into refusals in doubt, and streams until the first content, {} bytes, {:?}",
            limits.max_held, limits.max_wait
        )?;
        match self.peek.streams.first_token {
            Some(limit) => write!(f, "; given up after {limit:?}"),
            None => Ok(()),
        }
    }
}
