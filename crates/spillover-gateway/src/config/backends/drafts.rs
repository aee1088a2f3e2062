use std::collections::BTreeMap;

use super::{
    draft::Draft,
    flag::Flag,
    key::{self, Key},
};
use crate::config::{
    Problem, error::Problems, flags::FlagText, table::BackendTable, variables::Variables,
};

/// What was set for each label, by the label in upper case.
#[derive(Debug, Default)]
pub(super) struct Drafts(BTreeMap<String, Draft>);

impl Drafts {
    pub(super) fn add_flags(&mut self, flags: &[FlagText], problems: &mut Problems) {
        for (number, text) in (1..).zip(flags) {
            let Some(Flag { label, settings }) = Flag::read(number, text, problems) else {
                continue;
            };
            for (key, setting) in settings {
                let draft = self.draft(&label);
                if draft.has(key) {
                    let message = "set more than once; expected one of them";
                    problems.add(Problem::new(setting.place(), message));
                }
                draft.add(&label, key, setting);
            }
        }
    }

    /// Adds what no flag has set.
    pub(super) fn add_variables(&mut self, variables: &Variables, problems: &mut Problems) {
        for (name, spellings) in variables.with_prefix(key::PREFIX) {
            let Some((label, key)) = Key::split(name) else {
                continue;
            };
            let setting = spellings.first();
            // Upper case of ASCII changes no length.
            let as_spelled = setting
                .place()
                .get(key::PREFIX.len()..key::PREFIX.len() + label.len());
            let label = as_spelled.unwrap_or(label);

            let draft = self.draft(label);
            draft.mark_variable();
            if !draft.has(key) {
                draft.add(label, key, setting.clone());
                problems.keep(spellings.only().map(Some));
            }
        }
    }

    /// The label that a variable belongs to, in upper case, and the rest of its name: the longest label that has a URL,
    /// or lacks one that is probably this variable.
    pub(super) fn owner<'a>(&self, name: &'a str) -> Option<(&'a str, &'a str)> {
        name.rmatch_indices('_').find_map(|(at, _)| {
            let (label, key) = (&name[..at], &name[at + 1..]);
            let draft = self.0.get(label)?;
            let owns = draft.has(Key::Url) || Key::closest(key) == Some(Key::Url);
            owns.then_some((label, key))
        })
    }

    /// The backends, each with the place of its URL.
    pub(super) fn build(&self, problems: &mut Problems) -> Vec<(BackendTable, String)> {
        let drafts = self.0.values();
        drafts.filter_map(|draft| draft.build(problems)).collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn draft(&mut self, label: &str) -> &mut Draft {
        let entry = self.0.entry(label.to_ascii_uppercase());
        entry.or_insert_with(|| Draft::new(label))
    }
}
