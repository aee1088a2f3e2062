use clap::{CommandFactory, Parser, error::ErrorKind};

use crate::config::{Cli, Command, DemoArgs};

fn demo(flags: &[&str]) -> DemoArgs {
    let cli = Cli::try_parse_from(["spillover", "demo"].iter().chain(flags)).unwrap();
    let Some(Command::Demo(args)) = cli.command else {
        panic!("the demo");
    };
    args
}

#[test]
fn command_line_definition_is_valid() {
    Cli::command().debug_assert();
}

#[test]
fn gateway_serves_without_a_command() {
    assert!(
        Cli::try_parse_from(["spillover"])
            .unwrap()
            .command
            .is_none()
    );
}

#[test]
fn demo_has_its_own_default_address() {
    for (flags, serve, listen) in [
        (&[][..], false, "127.0.0.1:0"),
        (&["--serve"], true, "127.0.0.1:8080"),
        (&["--listen", "[::1]:9"], false, "[::1]:9"),
        (&["--serve", "--listen=localhost:9"], true, "localhost:9"),
        (&["--serve", "--listen= "], true, "127.0.0.1:8080"),
    ] {
        let args = demo(flags);
        assert_eq!(args.serve, serve);
        assert_eq!(args.listen().unwrap().as_str(), listen);
    }
    let error = demo(&["--listen", "8080"]).listen().unwrap_err();
    assert_eq!(error.problems()[0].place(), "--listen");
}

#[test]
fn contradicting_flags_are_refused() {
    for flags in [
        &["--listen", "127.0.0.1:1", "demo"][..],
        &["--listen", "127.0.0.1:1", "--port", "1"],
    ] {
        let error = Cli::try_parse_from(["spillover"].iter().chain(flags)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ArgumentConflict);
    }
}

#[test]
fn version_is_that_of_the_package() {
    let version = Cli::try_parse_from(["spillover", "--version"]).unwrap_err();
    assert_eq!(version.kind(), ErrorKind::DisplayVersion);
    assert_eq!(
        version.to_string(),
        concat!("spillover ", env!("CARGO_PKG_VERSION"), "\n")
    );
}

#[test]
fn help_names_every_variable_and_fits_a_terminal() {
    let help = Cli::command().render_long_help().to_string();
    for name in [
        "BACKEND_<LABEL>_URL",
        "BACKEND_<LABEL>_PRIORITY",
        "BACKEND_<LABEL>_APIKEY",
        "BACKEND_<LABEL>_AUTH",
        "BACKEND_<LABEL>_DEPLOYMENT_NAME",
        "BACKEND_<LABEL>_PROTOCOL",
        "[env: SPILLOVER_CONFIG]",
        "[env: ADMIN_LISTEN]",
        "CLIENT_KEYS",
        "[env: HTTP_TIMEOUT_SECONDS] [default: 100]",
        "[env: LISTEN] [default: 127.0.0.1:8080]",
        "[env: PORT]",
        "[env: EXPOSE_BACKEND_URL] [default: false]",
        "[env: WHEN_EXHAUSTED] [default: forward]",
        "[env: LOG_FORMAT] [default: auto]",
        "RUST_LOG",
        "Examples:",
        "spillover demo",
    ] {
        assert!(help.contains(name), "{name}");
    }
    for line in help.lines() {
        assert!(line.chars().count() <= 100, "{line}");
    }
}
