//! The compared proxies.

mod floor;
mod haproxy;
mod nginx;
mod spillover;

use std::{
    fs, io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
};

use rustix::process::Signal;

use crate::measure::Process;

/// A proxy.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Peer {
    Floor,
    Nginx,
    Haproxy,
    Spillover,
}

impl Peer {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Floor => "floor",
            Self::Nginx => "nginx",
            Self::Haproxy => "haproxy",
            Self::Spillover => "spillover",
        }
    }

    /// Starts the proxy in front of its backends, on [`LISTEN`].
    pub(crate) async fn start(self, setup: &Setup, temp: &Path) -> io::Result<Process> {
        let mut command = match self {
            Self::Floor => floor::command(setup, temp)?,
            Self::Nginx => nginx::command(setup, temp)?,
            Self::Haproxy => haproxy::command(setup, temp)?,
            Self::Spillover => spillover::command(setup, temp)?,
        };
        if let Some(workers) = setup.workers {
            command.env("TOKIO_WORKER_THREADS", workers.to_string());
        }
        let cores = match setup.workers {
            Some(workers) if workers > 1 => BOTH_CORES,
            _ => PROXY_CORE,
        };
        let log = temp.join(self.name()).with_extension("log");
        let process = Process::start(&command, cores, LISTEN, &log).await;
        process.map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", self.name())))
    }

    /// Applies another setup without waiting for it. The floor cannot do that.
    pub(crate) fn reload(self, process: &Process, setup: &Setup, temp: &Path) -> io::Result<()> {
        let signal = match self {
            Self::Floor => return Ok(()),
            Self::Nginx => {
                nginx::configuration(setup, temp)?;
                Signal::HUP
            }
            Self::Haproxy => {
                haproxy::configuration(setup, temp)?;
                Signal::USR2
            }
            Self::Spillover => {
                spillover::configuration(setup, temp)?;
                Signal::HUP
            }
        };
        process.signal(signal)
    }
}

/// The setup of a proxy.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    /// The name of the gateway program, in the directory of this program.
    pub(crate) gateway: &'static str,
    /// Backends in order of preference.
    pub(crate) backends: Vec<Upstream>,
    /// True if clients use HTTP/2.
    pub(crate) is_http2: bool,
    /// True if clients use TLS.
    pub(crate) is_tls: bool,
    /// True if the setup changes at run time.
    pub(crate) is_reloaded: bool,
    /// The number of Tokio threads. With more than one, the proxy runs on both cores.
    pub(crate) workers: Option<usize>,
}

impl Setup {
    /// Returns the same setup with alternating weights of 1 and 2, swapped in every other generation.
    pub(crate) fn reweighted(&self, generation: u32) -> Self {
        let mut setup = self.clone();
        for (upstream, turn) in setup.backends.iter_mut().zip(generation..) {
            upstream.weight = 1 + turn % 2;
        }
        setup
    }
}

/// A backend of a proxy.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Upstream {
    pub(crate) port: u16,
    pub(crate) priority: u32,
    pub(crate) weight: u32,
}

/// The gateway built by `cargo build --release`.
pub(crate) const GATEWAY: &str = "spillover";
/// The gateway built by `bench/pgo`.
pub(crate) const PROFILED_GATEWAY: &str = "spillover-pgo";
/// The example gateway of axum and tower-http, `examples/gateway.rs`, with the same variables.
pub(crate) const EXAMPLE_GATEWAY: &str = "gateway";

/// The address of the proxy.
pub(crate) const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 20_999);

/// Returns the path of a program that was built with this one.
pub(crate) fn sibling(name: &str) -> io::Result<PathBuf> {
    Ok(std::env::current_exe()?.with_file_name(name))
}

/// Fills in a configuration file.
fn fill_in(template: &str, values: &[(&str, &str)], file: &Path) -> io::Result<()> {
    let mut text = template.to_owned();
    for (name, value) in values {
        text = text.replace(&format!("@{name}@"), value);
    }
    fs::write(file, text)
}

/// The core of the proxy. The load generator and the backends use the other one.
const PROXY_CORE: &str = "0";
const BOTH_CORES: &str = "0,1";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_alternate_with_each_generation() {
        let upstream = |port| Upstream {
            port,
            priority: 1,
            weight: 1,
        };
        let setup = Setup {
            gateway: GATEWAY,
            backends: vec![upstream(1), upstream(2)],
            is_http2: false,
            is_tls: false,
            is_reloaded: true,
            workers: None,
        };
        let weights = |generation| {
            let backends = setup.reweighted(generation).backends;
            backends.iter().map(|upstream| upstream.weight).collect()
        };
        let [first, second, third]: [Vec<u32>; 3] = [1, 2, 3].map(weights);
        assert_eq!(first, [2, 1]);
        assert_eq!(second, [1, 2]);
        assert_eq!(third, first);
    }
}
