use std::{fmt::Write, io, path::Path, process::Command};

use super::{LISTEN, Setup, configure};
use crate::backend;

pub(super) fn command(setup: &Setup, temp: &Path) -> io::Result<Command> {
    let listen = if setup.is_http2 {
        format!("{LISTEN} proto h2")
    } else {
        LISTEN.to_string()
    };
    let values = [("LISTEN", &*listen), ("SERVERS", &servers(setup))];
    let file = temp.join("haproxy.cfg");
    configure(include_str!("../../haproxy.cfg"), &values, &file)?;

    let mut command = Command::new("haproxy");
    command.arg("-db").arg("-f").arg(file);
    Ok(command)
}

fn servers(setup: &Setup) -> String {
    let mut servers = String::new();
    if setup.backends.len() > 1 {
        // Copies every request that fits into a buffer: only where there is another server to send it to.
        servers.push_str("    retry-on 503\n    option redispatch 1\n");
    }
    if setup
        .backends
        .iter()
        .any(|upstream| upstream.port == backend::STREAM)
    {
        // It would hold each chunk back for 200 ms, in case more come.
        servers.push_str("    option http-no-delay\n");
    }
    for (index, upstream) in setup.backends.iter().enumerate() {
        let address = backend::address(upstream.port);
        let _ = writeln!(servers, "    server b{index} {address}");
    }
    servers
}
