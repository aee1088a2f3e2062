//! Serves by another configuration when that has changed: at SIGHUP, and when one of its files does.

mod files;
mod status;
mod watch;

use std::{io, path::PathBuf, time::Duration};

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::{Instant, sleep},
};

pub(crate) use self::status::ReloadStatus;
use self::{files::Fingerprint, watch::Watch};

/// What is behind a configuration.
pub(crate) trait Source {
    /// The configuration, read anew and put into service; the files that it was read from, or why it was refused.
    fn reload(&mut self) -> Result<Vec<PathBuf>, String>;
}

/// Reloads a configuration, and tells how that went.
#[derive(Debug)]
pub(crate) struct Reloader<S> {
    source: S,
    files: Vec<PathBuf>,
    status: ReloadStatus,
    hang_up: Signal,
}

impl<S: Source> Reloader<S> {
    /// Of a configuration that was read from these files and is in service. SIGHUP no longer ends the process then.
    pub(crate) fn new(source: S, files: Vec<PathBuf>, status: ReloadStatus) -> io::Result<Self> {
        Ok(Self {
            source,
            files,
            status,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// Reloads until it is dropped.
    pub(crate) async fn run(mut self) {
        let mut watch = Watch::new(&self.files);
        let mut fingerprint = Fingerprint::of(&self.files);
        loop {
            let is_asked = tokio::select! {
                _ = self.hang_up.recv() => true,
                () = watch.changed() => self.settle(&mut watch).await,
            };
            // Directories are watched, where other things happen as well.
            let now = Fingerprint::of(&self.files);
            if now == fingerprint && !is_asked {
                continue;
            }
            self.reload();
            watch = Watch::new(&self.files);
            fingerprint = Fingerprint::of(&self.files);
            if fingerprint != now {
                watch.look_again();
            }
        }
    }

    /// Waits until nothing changes any more: files are written in parts, and several at once. Returns whether it was asked
    /// meanwhile not to wait.
    async fn settle(&mut self, watch: &mut Watch) -> bool {
        let end = Instant::now() + LONGEST_SETTLING;
        while Instant::now() < end {
            tokio::select! {
                _ = self.hang_up.recv() => return true,
                () = watch.changed() => {}
                () = sleep(SETTLED_AFTER) => break,
            }
        }
        false
    }

    fn reload(&mut self) {
        match self.source.reload() {
            Ok(files) => {
                self.files = files;
                self.status.accepted(Instant::now());
                tracing::info!(
                    generation = self.status.generation(),
                    "configuration reloaded"
                );
            }
            Err(reason) => {
                tracing::error!(
                    reason,
                    "configuration refused: the one before stays in service"
                );
                self.status.refused(reason, Instant::now());
            }
        }
    }
}

const SETTLED_AFTER: Duration = Duration::from_millis(250);
const LONGEST_SETTLING: Duration = Duration::from_secs(5);
