use std::{
    fmt::Write,
    io,
    path::{Path, PathBuf},
    process::Command,
};

use super::{LISTEN, Setup, fill_in};
use crate::{
    backend::{self, Transport},
    tls,
};

pub(super) fn command(setup: &Setup, temp: &Path) -> io::Result<Command> {
    let file = configuration(setup, temp)?;
    let mut command = Command::new("haproxy");
    if setup.is_reloaded {
        // Only a master can start another worker.
        command.arg("-W");
    }
    command.arg("-db").arg("-f").arg(file);
    Ok(command)
}

pub(super) fn configuration(setup: &Setup, temp: &Path) -> io::Result<PathBuf> {
    let values = [
        ("LISTEN", &*listen(setup, temp)),
        ("SERVERS", &servers(setup)),
    ];
    let file = temp.join("haproxy.cfg");
    fill_in(include_str!("../../haproxy.cfg"), &values, &file)?;
    Ok(file)
}

fn listen(setup: &Setup, temp: &Path) -> String {
    if setup.is_http2 {
        return format!("{LISTEN} proto h2");
    }
    if setup.is_tls {
        // haproxy finds the key beside the certificate.
        let certificate = tls::Files::in_directory(temp).certificate();
        let certificate = certificate.display();
        return format!("{LISTEN} ssl crt {certificate} ssl-min-ver TLSv1.3");
    }
    LISTEN.to_string()
}

fn servers(setup: &Setup) -> String {
    let mut servers = String::new();
    if setup.backends.len() > 1 {
        // Retries copy every request that fits into a buffer, so that they are enabled only with a second server.
        servers.push_str("    retry-on 503\n    option redispatch 1\n");
    }
    if setup
        .backends
        .iter()
        .any(|upstream| upstream.port == backend::STREAM)
    {
        // By default haproxy delays each chunk by 200 ms.
        servers.push_str("    option http-no-delay\n");
    }
    for (index, upstream) in setup.backends.iter().enumerate() {
        let address = backend::address(upstream.port);
        let weight = match upstream.weight {
            1 => String::new(),
            weight => format!(" weight {weight}"),
        };
        let tls = match Transport::of_port(upstream.port) {
            Transport::Clear => "",
            Transport::Tls => " ssl verify none",
            Transport::TlsHttp2 => " ssl verify none alpn h2",
        };
        let _ = writeln!(servers, "    server b{index} {address}{weight}{tls}");
    }
    servers
}
