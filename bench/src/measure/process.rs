use std::{
    fs::{self, File},
    io,
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    net::TcpStream,
    time::{Duration, sleep},
};

use super::procfs;

/// A process with its children. Dropping it kills all of them.
pub(crate) struct Process {
    child: Child,
}

impl Process {
    /// Starts a program on certain cores, and waits until it listens. Its output goes to the file `log`.
    pub(crate) async fn start(
        command: &Command,
        cores: &str,
        listen: SocketAddr,
        log: &Path,
    ) -> io::Result<Self> {
        wait_until_free(listen).await?;
        let output = File::create(log)?;
        let mut pinned = Command::new("taskset");
        pinned
            .args(["-c", cores])
            .arg(command.get_program())
            .args(command.get_args())
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output);
        for (name, value) in command.get_envs() {
            if let Some(value) = value {
                pinned.env(name, value);
            }
        }
        let mut process = Self {
            child: pinned.spawn()?,
        };
        process.wait_for(listen, log).await?;
        Ok(process)
    }

    async fn wait_for(&mut self, listen: SocketAddr, log: &Path) -> io::Result<()> {
        for _ in 0..TRIES {
            if TcpStream::connect(listen).await.is_ok() {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                let log = fs::read_to_string(log)?;
                return Err(io::Error::other(format!("{status}: {log}")));
            }
            sleep(BETWEEN_TRIES).await;
        }
        let message = format!("nobody listens on {listen}");
        Err(io::Error::new(io::ErrorKind::TimedOut, message))
    }

    /// Asks the process to end, and waits for that.
    pub(crate) async fn stop(mut self) -> io::Result<()> {
        self.signal(Signal::TERM)?;
        for _ in 0..TRIES {
            if let Some(status) = self.child.try_wait()? {
                let message = || io::Error::other(format!("it ended with {status}"));
                return status.success().then_some(()).ok_or_else(message);
            }
            sleep(BETWEEN_TRIES).await;
        }
        Err(io::Error::new(io::ErrorKind::TimedOut, "it does not end"))
    }

    pub(crate) fn signal(&self, signal: Signal) -> io::Result<()> {
        let pid = Pid::from_child(&self.child);
        Ok(kill_process(pid, signal)?)
    }

    /// Returns the CPU time used so far, including ended children.
    pub(crate) fn cpu(&self) -> io::Result<Duration> {
        loop {
            let times = self.pids()?.into_iter().map(procfs::cpu);
            match times.sum() {
                // The child has ended, so that the figure of its parent includes its time.
                Err(error) if procfs::has_ended(&error) => {}
                sum => return sum,
            }
        }
    }

    /// Returns the resident memory in KiB.
    pub(crate) fn memory(&self) -> io::Result<u64> {
        self.sum_memory("VmRSS")
    }

    /// Returns the highest resident memory since [`forget_peak`](Self::forget_peak) in KiB.
    pub(crate) fn peak_memory(&self) -> io::Result<u64> {
        self.sum_memory("VmHWM")
    }

    pub(crate) fn forget_peak(&self) -> io::Result<()> {
        let forgotten = self.pids()?.into_iter().map(procfs::forget_peak);
        unless_ended(forgotten).collect()
    }

    fn sum_memory(&self, field: &str) -> io::Result<u64> {
        let of = |pid| procfs::memory(pid, field);
        unless_ended(self.pids()?.into_iter().map(of)).sum()
    }

    /// Returns the process and its children, since nginx serves in a child process.
    fn pids(&self) -> io::Result<Vec<i32>> {
        let pid = self.child.id().cast_signed();
        let mut pids = vec![pid];
        pids.extend(procfs::children(pid)?);
        Ok(pids)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The parent goes first, because it would restart its children.
        for pid in self.pids().unwrap_or_default() {
            if let Some(pid) = Pid::from_raw(pid) {
                let _ = kill_process(pid, Signal::KILL);
            }
        }
        let _ = self.child.wait();
    }
}

/// Skips results for processes that have ended.
fn unless_ended<T>(
    results: impl Iterator<Item = io::Result<T>>,
) -> impl Iterator<Item = io::Result<T>> {
    results.filter(|result| {
        let error = result.as_ref().err();
        !error.is_some_and(procfs::has_ended)
    })
}

/// Waits until the address is free: a killed process may need a moment to end.
async fn wait_until_free(address: SocketAddr) -> io::Result<()> {
    for _ in 0..TRIES {
        if TcpStream::connect(address).await.is_err() {
            return Ok(());
        }
        sleep(BETWEEN_TRIES).await;
    }
    let message = format!("another process listens on {address}");
    Err(io::Error::new(io::ErrorKind::AddrInUse, message))
}

const TRIES: u32 = 500;
const BETWEEN_TRIES: Duration = Duration::from_millis(10);
