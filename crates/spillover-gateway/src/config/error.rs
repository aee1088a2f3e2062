use std::{borrow::Cow, error, fmt};

use super::names::natural;

/// All problems of a configuration, one [`Problem`] a line.
///
/// The text has names and expected values. No value that was set is part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    problems: Vec<Problem>,
}

impl ConfigError {
    /// Returns the problems. There is at least one.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

impl From<Problem> for ConfigError {
    fn from(problem: Problem) -> Self {
        Self {
            problems: vec![problem],
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bad configuration")?;
        for problem in &self.problems {
            write!(f, "\n  {problem}")?;
        }
        Ok(())
    }
}

impl error::Error for ConfigError {}

/// A problem of a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    place: String,
    message: Cow<'static, str>,
}

impl Problem {
    pub(super) fn new(place: impl Into<String>, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            place: place.into(),
            message: message.into(),
        }
    }

    pub(super) fn expected(place: impl Into<String>, expected: &'static str) -> Self {
        Self::new(place, format!("expected {expected}"))
    }

    /// Returns the variable or flag to correct, as it is spelled if it is set; or the file, the line and the key.
    #[must_use]
    pub fn place(&self) -> &str {
        &self.place
    }

    /// Returns the problem and the expected value.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

/// Collects problems, so that all are reported at once.
#[derive(Debug, Default)]
pub(super) struct Problems(Vec<Problem>);

impl Problems {
    pub(super) fn add(&mut self, problem: Problem) {
        self.0.push(problem);
    }

    pub(super) fn extend(&mut self, problems: impl IntoIterator<Item = Problem>) {
        self.0.extend(problems);
    }

    /// Returns the value, or records the problem.
    pub(super) fn keep<T>(&mut self, result: Result<Option<T>, Problem>) -> Option<T> {
        result.unwrap_or_else(|problem| {
            self.add(problem);
            None
        })
    }

    pub(super) fn into_result(mut self) -> Result<(), ConfigError> {
        if self.0.is_empty() {
            return Ok(());
        }
        self.0.sort_by(|a, b| natural(&a.place, &b.place));
        Err(ConfigError { problems: self.0 })
    }
}
