//! The backends: `--backend` flags and `BACKEND_<label>_<key>` variables, put together by label.

mod draft;
mod drafts;
mod flag;
pub(super) mod key;
mod stray;

use self::drafts::Drafts;
use super::{
    Problem, error::Problems, flags::FlagText, names::natural, table::BackendTable,
    variables::Variables,
};

pub(super) struct Backends {
    /// Each with the place where its URL is set.
    pub(super) backends: Vec<(BackendTable, String)>,
    pub(super) ignored: Vec<String>,
}

impl Backends {
    pub(super) fn find(flags: &[FlagText], variables: &Variables, problems: &mut Problems) -> Self {
        let mut drafts = Drafts::default();
        drafts.add_flags(flags, problems);
        drafts.add_variables(variables, problems);
        let ignored = stray::sort_out(variables, &drafts, problems);

        let mut backends = drafts.build(problems);
        backends.sort_by(|(a, _), (b, _)| {
            let name = |backend: &BackendTable| backend.name.clone().unwrap_or_default();
            let by_priority = a.priority.cmp(&b.priority);
            by_priority.then_with(|| natural(&name(a), &name(b)))
        });

        if drafts.is_empty() && flags.iter().all(FlagText::is_blank) {
            problems.add(nothing_set(&ignored));
        }
        Self { backends, ignored }
    }
}

fn nothing_set(ignored: &[String]) -> Problem {
    let mut message = String::from(
        "not set, so there is no backend; set it and BACKEND_<LABEL>_PRIORITY, for example \
         BACKEND_1_URL=https://name.openai.azure.com BACKEND_1_PRIORITY=1 BACKEND_1_APIKEY=..., or \
         name a file by --config",
    );
    if !ignored.is_empty() {
        message.push_str("; ignored: ");
        message.push_str(&ignored.join(", "));
    }
    Problem::new(ANY_URL, message)
}

/// Where backends belong that are not there.
pub(super) const ANY_URL: &str = "BACKEND_<LABEL>_URL";
