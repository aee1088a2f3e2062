//! Serves by another configuration when that has changed: at SIGHUP, and when one of its files does.

mod places;
mod status;
#[cfg(test)]
mod tests;
mod thread;
mod watch;

use std::{io, sync::Arc, time::Duration};

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::{Instant, sleep},
};

pub(crate) use self::status::ReloadStatus;
use self::{thread::on_own_thread, watch::Watch};
use crate::read_files::ReadFiles;

/// What is behind a configuration.
pub(crate) trait Source: Send + Sync + 'static {
    /// A configuration that is good.
    type Ready: Send + 'static;

    /// Reads everything anew, and changes nothing: what can go wrong goes wrong here. The files that were read are noted,
    /// whatever comes of it.
    fn read(&self, files: &mut ReadFiles) -> Result<Self::Ready, String>;

    /// Goes by it from now on.
    fn serve_by(&self, ready: Self::Ready);
}

/// Somebody asks by SIGHUP for the configuration to be read. The signal no longer ends the process from when this is made.
#[derive(Debug)]
pub(crate) struct HangUp(Signal);

impl HangUp {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self(signal(SignalKind::hangup())?))
    }
}

/// Reloads a configuration, and tells how that went.
#[derive(Debug)]
pub(crate) struct Reloader<S> {
    source: Arc<S>,
    /// What the newest configuration was read from, in service or not.
    files: ReadFiles,
    status: ReloadStatus,
    hang_up: HangUp,
}

impl<S: Source> Reloader<S> {
    /// Of a configuration that was read from these files and is in service.
    pub(crate) fn new(source: S, files: ReadFiles, status: ReloadStatus, hang_up: HangUp) -> Self {
        Self {
            source: Arc::new(source),
            files,
            status,
            hang_up,
        }
    }

    /// Reloads until it is dropped.
    pub(crate) async fn run(mut self) {
        let mut watch = Watch::default();
        loop {
            // First it is watched and then looked at: no change is missed in between. And it is watched anew each time,
            // as directories may be others by now.
            let is_changed = self.look(&mut watch).await;
            let is_asked = match is_changed {
                true => self.settle(&watch).await,
                false => self.wait(&watch).await,
            };
            if is_asked || is_changed && self.look(&mut watch).await {
                self.reload().await;
            }
        }
    }

    /// Whether the files are others than those that were read.
    async fn look(&self, watch: &mut Watch) -> bool {
        let files = self.files.clone();
        let (may_tell, changed) = (!watch.is_in_vain(), watch.teller());
        let looked = on_own_thread(move || {
            let watch = Watch::new(files.paths(), changed, may_tell);
            (watch, files.now() != files)
        });
        match looked.await {
            Some((new, is_changed)) => {
                *watch = new;
                is_changed
            }
            None => false,
        }
    }

    /// Waits until there may be a change. Returns whether it was asked to reload.
    async fn wait(&mut self, watch: &Watch) -> bool {
        let has_files = !self.files.is_empty();
        tokio::select! {
            _ = self.hang_up.0.recv() => true,
            () = watch.changed() => false,
            () = sleep(watch.look_every()), if has_files => false,
        }
    }

    /// Waits until nothing changes any more: files are written in parts, and several at once. Returns whether it was asked
    /// meanwhile not to wait.
    async fn settle(&mut self, watch: &Watch) -> bool {
        let end = Instant::now() + LONGEST_SETTLING;
        while Instant::now() < end {
            tokio::select! {
                _ = self.hang_up.0.recv() => return true,
                () = watch.changed() => {}
                () = sleep(SETTLED_AFTER) => break,
            }
        }
        false
    }

    async fn reload(&mut self) {
        let source = Arc::clone(&self.source);
        let read = on_own_thread(move || {
            let mut files = ReadFiles::default();
            (source.read(&mut files), files)
        });
        let Some((ready, files)) = read.await else {
            return self.refuse("it cannot be read: no thread for it, or that panicked".into());
        };
        self.files = files;
        match ready {
            Ok(ready) => {
                self.source.serve_by(ready);
                self.status.accepted(Instant::now());
                tracing::info!(
                    generation = self.status.generation(),
                    "configuration reloaded"
                );
            }
            Err(reason) => self.refuse(reason),
        }
    }

    fn refuse(&self, reason: String) {
        tracing::error!(
            reason,
            "configuration refused: the one before stays in service"
        );
        self.status.refused(reason, Instant::now());
    }
}

const SETTLED_AFTER: Duration = Duration::from_millis(250);
const LONGEST_SETTLING: Duration = Duration::from_secs(5);
