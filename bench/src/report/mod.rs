//! The results, as Markdown.

mod machine;
mod table;

use std::fmt::Write;

use self::machine::{Machine, load_average};
pub(crate) use self::table::Table;
use crate::load::Times;

/// The results of a run.
pub(crate) struct Report {
    machine: Machine,
    load_before: String,
    times: Times,
    repetitions: usize,
    tables: Vec<Table>,
}

impl Report {
    pub(crate) fn begin(times: Times, repetitions: usize) -> Self {
        Self {
            machine: Machine::this(),
            load_before: load_average(),
            times,
            repetitions,
            tables: Vec::new(),
        }
    }

    pub(crate) fn add(&mut self, table: Table) {
        self.tables.push(table);
    }

    pub(crate) fn end(self) -> String {
        let Self {
            machine,
            load_before,
            times,
            repetitions,
            tables,
        } = self;
        let load_after = load_average();
        let (warm_up, measured) = (times.warm_up.as_secs(), times.measured.as_secs());
        let mut text = format!(
            "# Benchmarks\n\n\
             Written by `bench/run`; not to be edited.\n\n\
             {machine}\
             | load average before, after | {load_before}, {load_after} |\n\n\
             {METHOD}\n\
             Each contender is started anew for each of the {repetitions} repetitions, warmed up for {warm_up} s and measured \
             for {measured} s, unless a scenario says otherwise.\n"
        );
        for table in tables {
            let _ = write!(text, "\n{table}");
        }
        let _ = write!(text, "\n{}", include_str!("../../remarks.md"));
        text
    }
}

const METHOD: &str = include_str!("../../method.md");
