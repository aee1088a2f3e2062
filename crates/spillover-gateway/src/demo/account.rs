use std::{fmt::Write, time::Duration};

use spillover_core::{Condition, Pool, Scope};
use spillover_testing::demo::{DEPLOYMENT, Fleet, Traffic};
use tokio::time::Instant;

/// Counts per backend: requests served, refusals, and time closed.
pub(super) struct Account {
    columns: Vec<Column>,
    last_sample: Option<Instant>,
    answered: u64,
    errors: u64,
}

struct Column {
    label: String,
    /// Totals up to the last printed line.
    served: u64,
    throttled: u64,
    closed_in_line: Duration,
    closed: Duration,
}

impl Account {
    pub(super) fn new(pool: &Pool) -> Self {
        let column = |label: &str| Column {
            label: label.to_owned(),
            served: 0,
            throttled: 0,
            closed_in_line: Duration::ZERO,
            closed: Duration::ZERO,
        };
        Self {
            columns: pool
                .backends()
                .map(|backend| column(backend.label()))
                .collect(),
            last_sample: None,
            answered: 0,
            errors: 0,
        }
    }

    /// Adds the time since the last sample to the backends that are closed now.
    pub(super) fn sample(&mut self, pool: &Pool, now: Instant) {
        let since_last = self.last_sample.map_or(Duration::ZERO, |last| now - last);
        self.last_sample = Some(now);
        for (column, snapshot) in self
            .columns
            .iter_mut()
            .zip(pool.snapshot(Scope::named(DEPLOYMENT), now))
        {
            if snapshot.condition() != Condition::Open {
                column.closed_in_line += since_last;
                column.closed += since_last;
            }
        }
    }

    pub(super) fn heading(&self) -> String {
        let mut labels = String::from("      ");
        let mut names = String::from("      ");
        for column in &self.columns {
            // Writing to a string cannot fail.
            let _ = write!(labels, "  {:<26}", column.label);
            let _ = write!(names, "  {:<26}", "served  429s  closed");
        }
        format!("{labels}  client\n{names}  answers  errors")
    }

    /// Returns the line for the last second.
    pub(super) fn line(&mut self, second: u32, fleet: &Fleet, traffic: &Traffic) -> String {
        let mut line = format!("{second:>4} s");
        for (column, stats) in self.columns.iter_mut().zip(fleet.stats()) {
            let served = stats.served - column.served;
            let throttled = stats.throttled - column.throttled;
            let closed = column.closed_in_line.as_secs_f64();
            let _ = write!(line, "  {served:>6}{throttled:>6}{closed:>6.2} s      ");
            column.served = stats.served;
            column.throttled = stats.throttled;
            column.closed_in_line = Duration::ZERO;
        }
        let answered = traffic.answered() - self.answered;
        let errors = traffic.errors() - self.errors;
        self.answered += answered;
        self.errors += errors;
        let _ = write!(line, "  {answered:>7}{errors:>8}");
        line
    }

    pub(super) fn finish(&mut self, traffic: &Traffic) {
        self.answered = traffic.answered();
        self.errors = traffic.errors();
    }

    pub(super) fn summary(&self, fleet: &Fleet) -> String {
        let Self {
            answered, errors, ..
        } = self;
        let refusals: u64 = fleet.stats().map(|stats| stats.throttled).sum();
        let mut text = format!(
            "{answered} requests answered, {errors} errors. {refusals} times a backend said 429, and the next one served.\n\n"
        );
        for (column, stats) in self.columns.iter().zip(fleet.stats()) {
            let _ = writeln!(
                text,
                "  {:<8} served {:>4}, said 429 {:>3} times, was left alone for {:.1} s",
                column.label,
                stats.served,
                stats.throttled,
                column.closed.as_secs_f64()
            );
        }
        text
    }
}
