use std::{fmt::Write, io, path::Path, process::Command};

use super::{LISTEN, Setup, configure};
use crate::backend;

pub(super) fn command(setup: &Setup, temp: &Path) -> io::Result<Command> {
    let listen = if setup.is_http2 {
        format!("{LISTEN} http2")
    } else {
        LISTEN.to_string()
    };
    let temp_name = temp.to_string_lossy();
    let values = [
        ("TEMP", &*temp_name),
        ("LISTEN", &listen),
        ("SERVERS", &servers(setup)),
    ];
    let file = temp.join("nginx.conf");
    configure(include_str!("../../nginx.conf"), &values, &file)?;

    let mut command = Command::new("nginx");
    command.arg("-p").arg(temp).arg("-c").arg(file);
    Ok(command)
}

fn servers(setup: &Setup) -> String {
    let mut servers = String::new();
    for upstream in &setup.backends {
        let address = backend::address(upstream.port);
        let role = if upstream.priority > 1 { " backup" } else { "" };
        // What one request was too much for is asked again by the next, as the gateway does.
        let fails = if upstream.port == backend::UNAVAILABLE {
            " max_fails=0"
        } else {
            ""
        };
        let _ = writeln!(servers, "        server {address}{fails}{role};");
    }
    servers
}
