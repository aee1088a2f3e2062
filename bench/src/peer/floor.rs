use std::{io, process::Command};

use super::{LISTEN, Setup};
use crate::backend;

pub(super) fn command(setup: &Setup) -> io::Result<Command> {
    let [upstream] = setup.backends[..] else {
        return Err(io::Error::other("it has one backend"));
    };
    let mut command = Command::new(std::env::current_exe()?);
    command
        .arg("floor")
        .arg(LISTEN.to_string())
        .arg(backend::address(upstream.port).to_string());
    Ok(command)
}
