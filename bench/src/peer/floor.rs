use std::{io, path::Path, process::Command};

use super::{LISTEN, Setup};
use crate::backend::{self, Transport};

pub(super) fn command(setup: &Setup, temp: &Path) -> io::Result<Command> {
    // The floor does not select: it uses the first of several equal backends.
    let upstream = setup.backends.first();
    let upstream = upstream.ok_or_else(|| io::Error::other("it has no backend"))?;
    let mut command = Command::new(std::env::current_exe()?);
    command
        .arg("floor")
        .arg(LISTEN.to_string())
        .arg(backend::address(upstream.port).to_string());
    if setup.is_tls {
        command.arg("--tls-in").arg(temp);
    }
    if Transport::of_port(upstream.port) != Transport::Clear {
        command.arg("--tls-out").arg(temp);
    }
    Ok(command)
}
