use super::{
    ListenAddr, LogFormat, Problem,
    error::Problems,
    file::{Origin, Path},
    flags::{FlagText, Flags},
    table::{AdminTable, Document},
    values,
    variables::Variables,
};

/// The flags and variables that win over the file.
pub(super) struct Overrides<'a> {
    flags: &'a Flags,
    variables: &'a Variables,
}

impl<'a> Overrides<'a> {
    pub(super) fn new(flags: &'a Flags, variables: &'a Variables) -> Self {
        Self { flags, variables }
    }

    /// Puts them in the place of what the document says. Those about requests count for every pool.
    pub(super) fn apply(
        &self,
        document: &mut Document,
        origin: &mut Origin,
        problems: &mut Problems,
    ) {
        let Self { flags, variables } = *self;
        let root = Path::default();
        if let Some((address, place)) = problems.keep(listen_address(flags, variables)) {
            if document.listeners.is_empty() {
                document.listeners.push(Default::default());
            }
            document.listeners[0].address = address.to_string();
            origin.override_by(root.key("listeners").index(0).key("address"), place);
        }
        let admin = variables
            .find("ADMIN_LISTEN", flags.admin_listen.as_ref())
            .and_then(|set| set.map(|set| set.read_at(ListenAddr::parse)).transpose());
        if let Some((address, place)) = problems.keep(admin) {
            document.admin = Some(AdminTable {
                address: Some(address.to_string()),
            });
            origin.override_by(root.key("admin").key("address"), place);
        }
        let keys = variables
            .find("CLIENT_KEYS", None)
            .and_then(|set| set.map(|set| set.read_at(values::client_keys)).transpose());
        if let Some((keys, place)) = problems.keep(keys) {
            let path = root.key("clients").key("keys");
            for index in 0..keys.len() {
                origin.override_by(path.index(index), &*place);
                origin.override_by(path.index(index).key("name"), &*place);
            }
            document.clients.keys = keys;
        }
        let log_format = variables.read("LOG_FORMAT", flags.log_format.as_ref(), LogFormat::parse);
        if let Some(log_format) = problems.keep(log_format) {
            document.log_format = log_format;
        }
        self.apply_to_pools(document, problems);
        // They are read where they are needed.
        problems.keep(variables.read("RUST_LOG", None, values::log_filter));
        problems.keep(variables.read("TOKIO_WORKER_THREADS", None, values::threads));
    }

    fn apply_to_pools(&self, document: &mut Document, problems: &mut Problems) {
        let Self { flags, variables } = *self;
        let http_timeout = problems.keep(variables.read(
            "HTTP_TIMEOUT_SECONDS",
            flags.http_timeout_seconds.as_ref(),
            values::timeout,
        ));
        let when_exhausted = problems.keep(variables.read(
            "WHEN_EXHAUSTED",
            flags.when_exhausted.as_ref(),
            values::when_exhausted,
        ));
        let expose_backend_url = problems.keep(variables.read(
            "EXPOSE_BACKEND_URL",
            flags.expose_backend_url.as_ref(),
            values::truth,
        ));
        for pool in &mut document.pools {
            if let Some(timeout) = http_timeout {
                pool.timeouts.response_head = timeout;
            }
            if let Some(when_exhausted) = when_exhausted {
                pool.when_exhausted = when_exhausted;
            }
            if let Some(expose) = expose_backend_url {
                pool.expose_backend_url = expose;
            }
        }
    }
}

/// Returns the address of `LISTEN`, else of `PORT`, with the place that sets it. Flags win over variables.
pub(super) fn listen_address(
    flags: &Flags,
    variables: &Variables,
) -> Result<Option<(ListenAddr, String)>, Problem> {
    let flag = |text: &Option<FlagText>, name| text.as_ref()?.setting(name);
    if let Some(listen) = flag(&flags.listen, "LISTEN") {
        return listen.read_at(ListenAddr::parse).map(Some);
    }
    if let Some(port) = flag(&flags.port, "PORT") {
        return port.read_at(ListenAddr::on_every_interface).map(Some);
    }
    if let Some(listen) = variables.named("LISTEN")? {
        return listen.read_at(ListenAddr::parse).map(Some);
    }
    let port = variables.named("PORT")?;
    port.map(|port| port.read_at(ListenAddr::on_every_interface))
        .transpose()
}
