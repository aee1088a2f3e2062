use std::{
    collections::BTreeSet,
    fmt::{self, Display, Formatter},
};

use crate::{
    measure::{Metric, Sample, Spread},
    peer::Peer,
    scenario::{Contender, Scenario},
};

/// The results of one scenario.
pub(crate) struct Table {
    name: &'static str,
    about: &'static str,
    rows: Vec<Row>,
}

struct Row {
    contender: Contender,
    /// One sample per repetition.
    samples: Vec<Sample>,
}

impl Table {
    pub(crate) fn new(scenario: &Scenario) -> Self {
        let row = |contender: &Contender| Row {
            contender: contender.clone(),
            samples: Vec::new(),
        };
        Self {
            name: scenario.name,
            about: scenario.about,
            rows: scenario.contenders.iter().map(row).collect(),
        }
    }

    /// Adds the next repetition of a row.
    pub(crate) fn add(&mut self, row: usize, sample: Sample) {
        self.rows[row].samples.push(sample);
    }

    fn metrics(&self) -> BTreeSet<Metric> {
        let samples = self.rows.iter().flat_map(|row| &row.samples);
        samples.flat_map(|sample| sample.keys().copied()).collect()
    }

    fn floor(&self) -> Option<&Row> {
        self.rows
            .iter()
            .find(|row| row.contender.peer == Peer::Floor)
    }
}

impl Display for Table {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "## {}\n\n{}\n", self.name, self.about)?;
        let metrics = self.metrics();
        let floor = self.floor();
        let is_relative = |metric: Metric| metric.is_relative() && floor.is_some();

        f.write_str("| |")?;
        let mut rule = String::from("|---|");
        for &metric in &metrics {
            write!(f, " {} |", metric.title())?;
            rule.push_str("---:|");
            if is_relative(metric) {
                f.write_str(" ÷ floor |")?;
                rule.push_str("---:|");
            }
        }
        writeln!(f, "\n{rule}")?;

        let mut notes: Vec<&str> = Vec::new();
        for row in &self.rows {
            write!(f, "| {}", row.contender.name)?;
            if let Some(note) = row.contender.note {
                notes.push(note);
                write!(f, " [{}]", notes.len())?;
            }
            f.write_str(" |")?;
            for &metric in &metrics {
                cell(f, row.spread(metric).map(|spread| spread.to_string()))?;
                if is_relative(metric) {
                    let ratio = floor.and_then(|floor| row.ratio(floor, metric));
                    cell(f, ratio.map(|ratio| format!("{:.2}", ratio.median())))?;
                }
            }
            f.write_str("\n")?;
        }
        if !notes.is_empty() {
            f.write_str("\n")?;
        }
        for (index, note) in notes.iter().enumerate() {
            let end = if index + 1 < notes.len() { "\\" } else { "" };
            writeln!(f, "[{}] {note}{end}", index + 1)?;
        }
        Ok(())
    }
}

impl Row {
    fn spread(&self, metric: Metric) -> Option<Spread> {
        let values = self.samples.iter().filter_map(|sample| sample.get(&metric));
        Spread::of_values(values.copied().collect())
    }

    /// Returns the ratio to the floor, repetition by repetition, since both were measured under the same disturbances.
    fn ratio(&self, floor: &Self, metric: Metric) -> Option<Spread> {
        let pairs = self.samples.iter().zip(&floor.samples);
        let ratio = |(mine, floors): (&Sample, &Sample)| {
            let floors = floors.get(&metric).filter(|&&floors| floors != 0.0)?;
            Some(mine.get(&metric)? / floors)
        };
        Spread::of_values(pairs.filter_map(ratio).collect())
    }
}

fn cell(f: &mut Formatter<'_>, value: Option<String>) -> fmt::Result {
    write!(f, " {} |", value.as_deref().unwrap_or("-"))
}
