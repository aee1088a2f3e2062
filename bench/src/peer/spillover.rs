use std::{
    fmt::Write,
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

use super::{LISTEN, Setup, Upstream, sibling};
use crate::{
    backend::{self, Transport},
    tls,
};

pub(super) fn command(setup: &Setup, temp: &Path) -> io::Result<Command> {
    let mut command = Command::new(sibling(setup.gateway)?);
    command
        // The other proxies write no access log either.
        .env("RUST_LOG", "warn")
        // Backends with TLS have a certificate that the platform does not trust.
        .env(
            "SSL_CERT_FILE",
            tls::Files::in_directory(temp).certificate(),
        );
    if setup.is_tls || setup.is_reloaded {
        command.arg("--config").arg(configuration(setup, temp)?);
    } else {
        variables(&mut command, setup);
    }
    Ok(command)
}

/// Returns settings that variables cannot express or change.
pub(super) fn configuration(setup: &Setup, temp: &Path) -> io::Result<PathBuf> {
    let mut text = format!("[[listeners]]\naddress = \"{LISTEN}\"\n");
    if setup.is_tls {
        let files = tls::Files::in_directory(temp);
        let (certificate, key) = (files.certificate(), files.key());
        let _ = write!(
            text,
            "[listeners.tls]\ncertificate = {certificate:?}\nkey = {key:?}\n"
        );
    }
    text.push_str("[[pools]]\n");
    for (index, upstream) in setup.backends.iter().enumerate() {
        let (
            url,
            Upstream {
                priority, weight, ..
            },
        ) = (url(upstream), upstream);
        let _ = write!(
            text,
            "[[pools.backends]]\nname = \"b{index}\"\nurl = \"{url}\"\npriority = {priority}\nweight = {weight}\n\
             credential = {{ api_key = \"bench\" }}\n"
        );
    }
    let file = temp.join("spillover.toml");
    fs::write(&file, text)?;
    Ok(file)
}

fn variables(command: &mut Command, setup: &Setup) {
    command.env("LISTEN", LISTEN.to_string());
    for (index, upstream) in setup.backends.iter().enumerate() {
        command
            .env(format!("BACKEND_B{index}_URL"), url(upstream))
            .env(
                format!("BACKEND_B{index}_PRIORITY"),
                upstream.priority.to_string(),
            )
            .env(format!("BACKEND_B{index}_APIKEY"), "bench");
    }
}

fn url(upstream: &Upstream) -> String {
    let scheme = Transport::of_port(upstream.port).scheme();
    format!("{scheme}://{}", backend::address(upstream.port))
}
