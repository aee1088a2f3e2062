use std::path::PathBuf;

use super::{
    Problem,
    backends::{self, Backends},
    error::Problems,
    file::{self, Origin, Path},
    flags::{FlagText, Flags},
    names::natural,
    table::{Document, PoolTable},
    variables::{Spellings, Variables},
};
use crate::read_files::ReadFiles;

/// What the gateway is told, and where: by a file, or without one by the environment.
#[derive(Default)]
pub(super) struct Source {
    pub(super) document: Document,
    pub(super) origin: Origin,
    /// The names of variables that look like settings and are none.
    pub(super) ignored: Vec<String>,
}

impl Source {
    /// `None` if a file was meant and nothing of it can be read.
    pub(super) fn find(
        flags: &Flags,
        variables: &Variables,
        files: &mut ReadFiles,
        problems: &mut Problems,
    ) -> Option<Self> {
        match path(flags, variables) {
            Ok(Some((path, place))) => {
                Self::of_file(path, &place, flags, variables, files, problems)
            }
            Ok(None) => Some(Self::of_environment(flags, variables, problems)),
            Err(problem) => {
                problems.add(problem);
                None
            }
        }
    }

    fn of_file(
        path: PathBuf,
        place: &str,
        flags: &Flags,
        variables: &Variables,
        files: &mut ReadFiles,
        problems: &mut Problems,
    ) -> Option<Self> {
        for (number, flag) in (1..).zip(&flags.backend) {
            if !FlagText::is_blank(flag) {
                let message =
                    format!("not together with {place}: the backends are those of the file");
                problems.add(Problem::new(format!("--backend #{number}"), message));
            }
        }
        let (document, origin) = file::read(path, place, files, problems)?;
        let of_backends = variables.with_prefix(backends::key::PREFIX);
        let mut ignored: Vec<_> = of_backends
            .flat_map(|(_, spellings)| Spellings::places(spellings))
            .map(str::to_owned)
            .collect();
        ignored.sort_by(|a, b| natural(a, b));
        Some(Self {
            document,
            origin,
            ignored,
        })
    }

    fn of_environment(flags: &Flags, variables: &Variables, problems: &mut Problems) -> Self {
        let Backends { backends, ignored } = Backends::find(&flags.backend, variables, problems);
        let mut origin = Origin::default();
        let path = Path::default().key("pools").index(0).key("backends");
        if backends.is_empty() {
            // Why, is said already.
            origin.mark_wrong(path.clone());
        } else {
            origin.override_by(path.clone(), backends::ANY_URL);
        }
        let mut tables = Vec::new();
        for (index, (table, place)) in backends.into_iter().enumerate() {
            origin.override_by(path.index(index).key("url"), place);
            tables.push(table);
        }
        let pool = PoolTable {
            backends: tables,
            ..PoolTable::default()
        };
        Self {
            document: Document {
                pools: vec![pool],
                ..Document::default()
            },
            origin,
            ignored,
        }
    }
}

/// The file that is meant, if one is, and what says so.
fn path(flags: &Flags, variables: &Variables) -> Result<Option<(PathBuf, String)>, Problem> {
    let flag = flags.config.as_ref();
    let set = match flag.and_then(|flag| flag.setting("CONFIG")) {
        Some(setting) => Some(setting),
        None => variables.find("SPILLOVER_CONFIG", None)?,
    };
    set.map(|set| set.read_at(|path| Ok(path.into())))
        .transpose()
}
