use std::{io, process::Command};

use super::{LISTEN, Setup, sibling};
use crate::backend;

pub(super) fn command(setup: &Setup) -> io::Result<Command> {
    let mut command = Command::new(sibling("spillover")?);
    command
        .env("LISTEN", LISTEN.to_string())
        // The others write no access log either.
        .env("RUST_LOG", "warn");
    for (index, upstream) in setup.backends.iter().enumerate() {
        let url = format!("http://{}", backend::address(upstream.port));
        command
            .env(format!("BACKEND_B{index}_URL"), url)
            .env(
                format!("BACKEND_B{index}_PRIORITY"),
                upstream.priority.to_string(),
            )
            .env(format!("BACKEND_B{index}_APIKEY"), "bench");
    }
    Ok(command)
}
