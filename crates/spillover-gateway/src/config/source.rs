use std::path::PathBuf;

use super::{
    ListenAddr, Problem, backends,
    error::Problems,
    file::{self, Origin, Path},
    flags::FlagText,
    names::natural,
    table::{AdminTable, Document, PoolTable},
    values,
    variables::{Setting, Variables},
};
use crate::read_files::ReadFiles;

/// The document that a file or the environment describes, and the places of its settings.
pub(super) struct Source {
    pub(super) document: Document,
    pub(super) origin: Origin,
    /// Names of variables that look like settings of backends and have no effect.
    pub(super) ignored: Vec<String>,
}

impl Source {
    /// Reads the file that a flag or a variable names, or else the backends of the environment.
    pub(super) fn find(
        backend_flags: &[FlagText],
        variables: &Variables,
        files: &mut ReadFiles,
        problems: &mut Problems,
    ) -> Self {
        let read = match variables.read("SPILLOVER_CONFIG", |path| Ok(PathBuf::from(path))) {
            Ok(None) => return Self::of_environment(backend_flags, variables, problems),
            Ok(Some((path, place))) => {
                check_backend_flags(backend_flags, &place, problems);
                file::read(path, &place, files, problems)
            }
            Err(problem) => {
                problems.add(problem);
                None
            }
        };
        let (document, origin) = read.unwrap_or_else(|| {
            // The reason is reported already: nothing in the document is reported as missing.
            let mut origin = Origin::default();
            origin.mark_wrong(Path::default());
            (Document::default(), origin)
        });
        let of_backends = variables.with_prefix(backends::PREFIX);
        let places = of_backends.flat_map(|(_, spellings)| spellings.iter().map(Setting::place));
        let mut ignored: Vec<_> = places.map(str::to_owned).collect();
        ignored.sort_by(|a, b| natural(a, b));
        Self {
            document,
            origin,
            ignored,
        }
    }

    fn of_environment(
        backend_flags: &[FlagText],
        variables: &Variables,
        problems: &mut Problems,
    ) -> Self {
        let (backends, ignored) = backends::find(backend_flags, variables, problems);
        let mut origin = Origin::default();
        let path = Path::default().key("pools").index(0).key("backends");
        if backends.is_empty() {
            // The reason is reported already.
            origin.mark_wrong(path.clone());
        } else {
            origin.override_by(path.clone(), backends::ANY_URL);
        }
        let mut pool = PoolTable::default();
        for (index, (table, place)) in backends.into_iter().enumerate() {
            origin.override_by(path.index(index).key("url"), place);
            pool.backends.push(table);
        }
        Self {
            document: Document {
                pools: vec![pool],
                ..Document::default()
            },
            origin,
            ignored,
        }
    }

    /// Applies the other flags and variables. They override the file; those about requests count for every pool.
    pub(super) fn apply(&mut self, variables: &Variables, problems: &mut Problems) {
        let Self {
            document, origin, ..
        } = self;
        let root = Path::default();
        if let Some((address, place)) = problems.keep(listen_address(variables)) {
            if document.listeners.is_empty() {
                document.listeners.push(Default::default());
            }
            document.listeners[0].address = address.to_string();
            origin.override_by(root.key("listeners").index(0).key("address"), place);
        }
        let admin = variables.read("ADMIN_LISTEN", ListenAddr::parse);
        if let Some((address, place)) = problems.keep(admin) {
            let address = Some(address.to_string());
            document.admin = Some(AdminTable { address });
            origin.override_by(root.key("admin").key("address"), place);
        }
        let keys = variables.read("CLIENT_KEYS", values::client_keys);
        if let Some((keys, place)) = problems.keep(keys) {
            let path = root.key("clients").key("keys");
            for index in 0..keys.len() {
                origin.override_by(path.index(index), &*place);
                origin.override_by(path.index(index).key("name"), &*place);
            }
            document.clients.keys = keys;
        }
        let log_format = variables.read("LOG_FORMAT", values::log_format);
        if let Some((log_format, _)) = problems.keep(log_format) {
            document.log_format = log_format;
        }
        let timeout = problems.keep(variables.read("HTTP_TIMEOUT_SECONDS", values::timeout));
        let when = problems.keep(variables.read("WHEN_EXHAUSTED", values::when_exhausted));
        let expose = problems.keep(variables.read("EXPOSE_BACKEND_URL", values::truth));
        for pool in &mut document.pools {
            if let Some((timeout, _)) = timeout {
                pool.timeouts.response_head = timeout;
            }
            if let Some((when_exhausted, _)) = when {
                pool.when_exhausted = when_exhausted;
            }
            if let Some((expose_backend_url, _)) = expose {
                pool.expose_backend_url = expose_backend_url;
            }
        }
        // The libraries that obey these variables read them.
        problems.keep(variables.read("RUST_LOG", values::log_filter));
        problems.keep(variables.read("TOKIO_WORKER_THREADS", values::threads));
    }
}

fn check_backend_flags(flags: &[FlagText], place: &str, problems: &mut Problems) {
    for (number, flag) in (1..).zip(flags) {
        if !flag.is_blank() {
            let message = format!("not together with {place}: the backends are those of the file");
            problems.add(Problem::new(format!("--backend #{number}"), message));
        }
    }
}

/// Returns the address of `LISTEN`, or else of `PORT`, with the place that sets it. Flags win over variables.
fn listen_address(variables: &Variables) -> Result<Option<(ListenAddr, String)>, Problem> {
    if !variables.has_flag("PORT") {
        let listen = variables.read("LISTEN", ListenAddr::parse)?;
        if listen.is_some() {
            return Ok(listen);
        }
    }
    variables.read("PORT", ListenAddr::on_every_interface)
}
