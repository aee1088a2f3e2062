//! The environment of a run: the backends, and a directory.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process::{self, Command},
};

use crate::{
    backend,
    load::{Target, Times},
    measure::{Process, Sample},
    scenario::{Contender, Scenario},
    tls,
};

/// Running backends, and the directory of configurations, certificates and logs.
pub(crate) struct Stage {
    _backends: Process,
    temp: Temp,
}

impl Stage {
    pub(crate) async fn new() -> io::Result<Self> {
        let temp = Temp::new()?;
        tls::Files::in_directory(&temp.path).issue()?;
        let _backends = start_backends(&temp.path).await?;
        Ok(Self { _backends, temp })
    }

    pub(crate) async fn start(&self, contender: &Contender) -> io::Result<Process> {
        contender
            .peer
            .start(&contender.setup, &self.temp.path)
            .await
    }

    /// Runs the load of a scenario on a contender that has started.
    pub(crate) async fn load(
        &self,
        scenario: &Scenario,
        contender: &Contender,
        process: &Process,
        times: Times,
    ) -> io::Result<Sample> {
        let first_backend = contender.setup.backends.first();
        let target = Target {
            process,
            peer: contender.peer,
            setup: &contender.setup,
            path: contender.path,
            first_backend: first_backend.map_or(backend::FINE, |upstream| upstream.port),
            temp: &self.temp.path,
        };
        scenario.load.run(&target, times).await
    }
}

async fn start_backends(temp: &Path) -> io::Result<Process> {
    let mut command = Command::new(env::current_exe()?);
    command.arg("backend").arg(temp);
    let log = temp.join("backend.log");
    Process::start(&command, LOAD_CORE, backend::address(backend::FINE), &log).await
}

/// A directory that is removed at the end.
struct Temp {
    path: PathBuf,
}

impl Temp {
    fn new() -> io::Result<Self> {
        let path = env::temp_dir().join(format!("spillover-bench-{}", process::id()));
        fs::create_dir_all(&path)?;
        Ok(Self { path })
    }
}

impl Drop for Temp {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// The core of the load generator, which `bench/run` uses for this process too.
const LOAD_CORE: &str = "1";
