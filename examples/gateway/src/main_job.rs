//! From the command line to the exit code.

use std::{io, process::ExitCode};

use clap::Parser;
use spillover_core::Pool;
use tokio::net::TcpListener;

use crate::{
    app::{App, Settings},
    client::connector,
    config::{Cli, Command, Config, ConfigError},
    demo, log,
    serve::{one_thread, serve_on_threads, stop_signal},
};

/// Runs the gateway.
///
/// Exit codes: 0 when it was told to stop, 1 when it cannot go on, 2 when the configuration is bad.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match one_thread() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error),
    };
    let result = match &cli.command {
        Some(Command::Demo(args)) => match args.listen() {
            Ok(listen) => runtime.block_on(demo::run(&listen, args.serve)),
            Err(error) => return refuse(&error),
        },
        None => match Config::load(&cli) {
            Ok(config) => {
                log::init(config.log_format());
                runtime.block_on(run(&config))
            }
            Err(error) => return refuse(&error),
        },
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

async fn run(config: &Config) -> io::Result<()> {
    // Before anything else: a signal that comes while the gateway starts must not be lost.
    let stop = stop_signal().await?;
    announce(config);
    let backends: Vec<_> = config.backends().into_iter().cloned().collect();
    let needs_tls = backends.iter().any(|backend| backend.scheme() == "https");
    let pool = Pool::new(backends).map_err(io::Error::other)?;
    let settings = Settings {
        pool,
        http_timeout: config.http_timeout(),
        when_exhausted: config.when_exhausted(),
        expose_backend_url: config.expose_backend_url(),
    };
    let app = App::new(settings);
    let connector = connector(needs_tls)?;
    let listen = config.listen();
    let listener = TcpListener::bind(listen.as_str()).await.map_err(|error| {
        io::Error::new(error.kind(), format!("cannot listen on {listen}: {error}"))
    })?;
    serve_on_threads(listener, || app.over(connector.clone()), stop).await
}

/// Says what the gateway goes by.
fn announce(config: &Config) {
    for variable in config.ignored() {
        tracing::info!(
            variable,
            "ignored: it is no setting of a backend that has a URL"
        );
    }
    for backend in config.backends() {
        let credential = match backend.credential() {
            Some(_) => "api-key",
            None => "the client's own, passed through",
        };
        tracing::info!(
            backend = backend.label(),
            url = backend.url(),
            priority = backend.priority(),
            deployment = backend.deployment(),
            credential,
            "backend"
        );
    }
}

fn refuse(error: &ConfigError) -> ExitCode {
    eprintln!("spillover: {error}");
    ExitCode::from(2)
}

fn fail(error: &io::Error) -> ExitCode {
    eprintln!("spillover: {error}");
    ExitCode::FAILURE
}
