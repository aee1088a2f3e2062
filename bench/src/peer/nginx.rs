use std::{
    fmt::Write,
    io,
    path::{Path, PathBuf},
    process::Command,
};

use super::{LISTEN, Setup, fill_in};
use crate::{
    backend::{self, FINE, Transport},
    tls,
};

pub(super) fn command(setup: &Setup, temp: &Path) -> io::Result<Command> {
    let file = configuration(setup, temp)?;
    let mut command = Command::new("nginx");
    command.arg("-p").arg(temp).arg("-c").arg(file);
    Ok(command)
}

pub(super) fn configuration(setup: &Setup, temp: &Path) -> io::Result<PathBuf> {
    let first = setup.backends.first();
    let transport = Transport::of_port(first.map_or(FINE, |upstream| upstream.port));
    let values = [
        ("TEMP", &*temp.to_string_lossy()),
        ("LISTEN", &listen(setup, temp)),
        ("SERVERS", &servers(setup)),
        ("SCHEME", transport.scheme()),
    ];
    let file = temp.join("nginx.conf");
    fill_in(include_str!("../../nginx.conf"), &values, &file)?;
    Ok(file)
}

fn listen(setup: &Setup, temp: &Path) -> String {
    if setup.is_http2 {
        return format!("listen {LISTEN} http2;");
    }
    if setup.is_tls {
        let files = tls::Files::in_directory(temp);
        let (certificate, key) = (files.certificate(), files.key());
        let (certificate, key) = (certificate.display(), key.display());
        return format!(
            "listen {LISTEN} ssl; ssl_certificate {certificate}; ssl_certificate_key {key};"
        );
    }
    format!("listen {LISTEN};")
}

fn servers(setup: &Setup) -> String {
    let mut servers = String::new();
    for upstream in &setup.backends {
        let address = backend::address(upstream.port);
        let role = if upstream.priority > 1 { " backup" } else { "" };
        // A server that refuses a single request must stay in use for the next one, as with the gateway.
        let fails = if upstream.port == backend::UNAVAILABLE {
            " max_fails=0"
        } else {
            ""
        };
        let weight = match upstream.weight {
            1 => String::new(),
            weight => format!(" weight={weight}"),
        };
        let _ = writeln!(servers, "        server {address}{weight}{fails}{role};");
    }
    servers
}
