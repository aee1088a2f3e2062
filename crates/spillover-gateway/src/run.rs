//! The program, from its command line to its exit code.

use std::{fmt, io, process::ExitCode, sync::Arc, time::Duration};

use clap::Parser;
use rustls::ServerConfig;
use spillover_core::Backend;
use spillover_serve::{
    ListenAddr, Server, Signals, StartError, one_thread,
    reload::{HangUp, ReadFiles, Reload, ReloadStatus, Reloader},
    tls::{Acceptor, TlsError},
};
use tokio::{net::TcpListener, time::Instant};

use crate::{
    admin::{self, Admin},
    app::App,
    command,
    config::{self, Cli, Command, Config},
    demo,
    entra::Unusable,
    exposure::warn_if_exposed,
    log,
    runtime::{ActiveConfig, CredentialSource},
};

/// Runs the program of the command line.
///
/// Exit codes: 0 after a shutdown by signal or the end of a command, 1 after an error, 2 for a bad configuration.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match one_thread() {
        Ok(runtime) => runtime,
        Err(error) => return exit_error(&error),
    };
    let result = match &cli.command {
        Some(Command::Demo(args)) => match args.listen() {
            Ok(listen) => runtime
                .block_on(demo::run(listen, args.serve))
                .map_err(Stop::from),
            Err(error) => return exit_bad_configuration(&error),
        },
        Some(Command::Check(_)) => match Config::effective(&cli) {
            Ok((config, text)) => runtime
                .block_on(command::check(&config))
                .and_then(|()| command::print(&text))
                .map_err(Stop::from),
            Err(error) => return exit_bad_configuration(&error),
        },
        Some(Command::Import { file, output }) => {
            command::import_policy(file, output.as_deref()).map_err(Stop::from)
        }
        Some(Command::Schema) => command::print(&config::schema()).map_err(Stop::from),
        Some(Command::HashKey { generate }) => command::hash_key(*generate).map_err(Stop::from),
        Some(Command::Health { address, ready }) => {
            command::health(address, *ready).map_err(Stop::from)
        }
        Some(Command::Completions { shell }) => command::completions(*shell).map_err(Stop::from),
        Some(Command::Man) => command::manual().map_err(Stop::from),
        None => {
            let mut files = ReadFiles::default();
            match Config::read(&cli, &mut files) {
                Ok(config) => {
                    log::init(config.log_format);
                    runtime.block_on(run(cli, config, files))
                }
                Err(error) => return exit_bad_configuration(&error),
            }
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(Stop::Config(error)) => exit_bad_configuration(&error),
        Err(Stop::Other(error)) => exit_error(&error),
    }
}

async fn run(cli: Cli, config: Config, files: ReadFiles) -> Result<(), Stop> {
    // Installs the signal handlers first. A SIGTERM during the start must not be lost, and a SIGHUP must not end the process.
    let mut signals = Signals::new()?;
    let hang_up = HangUp::new()?;
    log_config(&config);
    let app = App::from_config(&config)?;
    let (connections, shutdown) = (config.connections.clone(), config.shutdown.clone());
    let server = Server::bind(&config.listeners, connections, shutdown).await?;
    let app = app.with_phases(server.phases());
    let addresses = config.listeners.iter().zip(server.addresses()?);
    let addresses = addresses.filter(|(listener, _)| !listener.requires_certificates());
    let addresses: Vec<_> = addresses.map(|(_, address)| address).collect();
    warn_if_exposed(&addresses, app.active().keys());
    let started = Instant::now();
    let reload = ReloadStatus::new(started);
    if let Some(listen) = &config.admin {
        let listener = bind(listen).await?;
        tracing::info!(address = %listener.local_addr()?, "admin");
        let (app, reload) = (app.clone(), reload.clone());
        tokio::spawn(admin::serve(
            listener,
            Admin {
                app,
                reload,
                started,
            },
        ));
    }
    // A missing token is logged. Backends that need it are skipped until there is one.
    let active = app.active();
    let first = active
        .tokens()
        .values()
        .map(|tokens| tokens.first(FIRST_TOKEN_WITHIN));
    futures_util::future::join_all(first).await;
    let gateway = RunningGateway {
        cli,
        app: app.clone(),
        acceptors: server.acceptors(),
        started: config,
    };
    tokio::spawn(Reloader::new(gateway, files, reload, hang_up).run());
    let service = || app.service();
    Ok(server.run(service, async || signals.next().await).await?)
}

/// The error that ends the program.
enum Stop {
    Config(StartError),
    Other(io::Error),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Other(error)
    }
}

impl From<StartError> for Stop {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Tls(_) => Self::Config(error),
            _ => Self::Other(io::Error::other(error)),
        }
    }
}

async fn bind(listen: &ListenAddr) -> io::Result<TcpListener> {
    TcpListener::bind(listen.as_str()).await.map_err(|error| {
        io::Error::new(error.kind(), format!("cannot listen on {listen}: {error}"))
    })
}

/// The parts of the gateway that a reload changes.
struct RunningGateway {
    cli: Cli,
    app: App,
    acceptors: Vec<Arc<Acceptor>>,
    /// Configuration of the start. Some of its keys need a restart to change.
    started: Config,
}

/// A valid configuration, with everything that is built from it.
struct Ready {
    config: Config,
    active: ActiveConfig,
    /// TLS settings of each acceptor, in their order.
    tls: Vec<Option<ServerConfig>>,
}

impl Reload for RunningGateway {
    type Ready = Ready;

    fn read(&self, files: &mut ReadFiles) -> Result<Ready, String> {
        let config = Config::read(&self.cli, files).map_err(|error| error.to_string())?;
        let read_files = |acceptor: &Arc<Acceptor>| {
            let mut listeners = config.listeners.iter();
            // Files that the configuration no longer names may be gone. New files take effect after a restart.
            let is_configured =
                listeners.any(|listener| listener.tls.as_ref() == Some(acceptor.files()));
            is_configured.then(|| acceptor.read()).transpose()
        };
        let tls: Result<_, _> = self.acceptors.iter().map(read_files).collect();
        let tls = tls.map_err(|error| error.to_string())?;
        let active = self.app.prepare(&config);
        let active = active.map_err(|error| error.to_string())?;
        Ok(Ready {
            config,
            active,
            tls,
        })
    }

    fn apply(
        &self,
        Ready {
            config,
            active,
            tls,
        }: Ready,
    ) {
        for (acceptor, tls) in self.acceptors.iter().zip(tls) {
            if let Some(tls) = tls {
                acceptor.apply(tls);
            }
        }
        self.app.apply(active);
        log_config(&config);
        for key in self.started.needs_restart(&config) {
            tracing::warn!(
                key,
                "changed, which takes effect when the gateway is started again"
            );
        }
    }
}

/// Logs the backends, and warnings about the configuration.
fn log_config(config: &Config) {
    let why = if config.has_file {
        "ignored: the backends are those of the file"
    } else {
        "ignored: it is no setting of a backend that has a URL"
    };
    for variable in &config.ignored {
        tracing::info!(variable, "{why}");
    }
    for warning in &config.warnings {
        tracing::warn!(setting = warning.place(), "{}", warning.message());
    }
    for backend in config.pools.iter().flat_map(|pool| &pool.backends) {
        let credential = match backend.credential {
            CredentialSource::Backend => own_field(&backend.backend),
            CredentialSource::Entra => "a token of Entra ID",
            CredentialSource::Client => "the client's own, passed through",
        };
        let backend = &backend.backend;
        tracing::info!(
            backend = backend.label(),
            url = backend.url(),
            kind = backend.kind().as_str(),
            priority = backend.priority(),
            deployment = backend.deployment(),
            credential,
            "backend"
        );
    }
}

/// Returns the name of the header field that has the backend's own credential.
fn own_field(backend: &Backend) -> &str {
    let field = backend
        .credential()
        .and_then(|credential| credential.field());
    field.map_or("its own", |(name, _)| name.as_str())
}

fn exit_bad_configuration(error: &impl fmt::Display) -> ExitCode {
    eprintln!("spillover: {error}");
    ExitCode::from(2)
}

fn exit_error(error: &io::Error) -> ExitCode {
    // An incomplete identity and a bad certificate file are bad configuration, but show only when they are used.
    let is_configuration = error
        .get_ref()
        .is_some_and(|cause| cause.is::<Unusable>() || cause.is::<TlsError>());
    if is_configuration {
        eprintln!("spillover: bad configuration\n  {error}");
        return ExitCode::from(2);
    }
    eprintln!("spillover: {error}");
    ExitCode::FAILURE
}

/// Longest wait for the first token at the start, for an identity endpoint that starts at the same time as the gateway.
const FIRST_TOKEN_WITHIN: Duration = Duration::from_secs(5);
