//! Reload of a configuration while the server runs, at SIGHUP and when one of its files has changed.
//!
//! * A [`Reload`] reads a configuration, records the files that it reads in [`ReadFiles`], and applies it.
//! * A [`Reloader`] watches these files. It compares their contents and not their times, waits until writers have finished, and polls
//!   what cannot be watched.
//! * A configuration that is refused changes nothing: the one before stays active. [`ReloadStatus`] has the reason.
//!
//! ```
//! use std::{fs, sync::{Arc, Mutex}, time::Duration};
//!
//! use spillover_serve::reload::{HangUp, ReadFiles, Reload, ReloadStatus, Reloader};
//! use tokio::time::{Instant, sleep};
//!
//! /// Keeps a number that is read from a file.
//! struct Number {
//!     file: std::path::PathBuf,
//!     active: Arc<Mutex<u32>>,
//! }
//!
//! impl Reload for Number {
//!     type Ready = u32;
//!
//!     fn read(&self, files: &mut ReadFiles) -> Result<u32, String> {
//!         let text = files.read(&self.file).map_err(|error| error.to_string())?;
//!         let text = String::from_utf8_lossy(&text);
//!         text.trim().parse().map_err(|_| "expected a number".to_owned())
//!     }
//!
//!     fn apply(&self, number: u32) {
//!         *self.active.lock().unwrap() = number;
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let directory = tempfile::tempdir()?;
//! let (file, active) = (directory.path().join("number"), Arc::default());
//! fs::write(&file, "1")?;
//! let number = Number { file: file.clone(), active: Arc::clone(&active) };
//! let mut files = ReadFiles::default();
//! let first = number.read(&mut files)?;
//! number.apply(first);
//!
//! let status = ReloadStatus::new(Instant::now());
//! tokio::spawn(Reloader::new(number, files, status.clone(), HangUp::new()?).run());
//! fs::write(&file, "2")?;
//! while status.generation() == 1 {
//!     sleep(Duration::from_millis(10)).await;
//! }
//! assert_eq!(*active.lock().unwrap(), 2);
//! # Ok(())
//! # }
//! ```

mod places;
mod read_files;
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

pub use self::{
    read_files::{ReadFiles, too_long},
    status::ReloadStatus,
};
use self::{thread::on_own_thread, watch::Watch};

/// Reads and applies configurations.
pub trait Reload: Send + Sync + 'static {
    /// A valid configuration.
    type Ready: Send + 'static;

    /// Reads the configuration without applying it. Records the files that were read in `files`, also when this fails.
    ///
    /// # Errors
    ///
    /// Returns the reason why the configuration is refused.
    fn read(&self, files: &mut ReadFiles) -> Result<Self::Ready, String>;

    /// Applies a configuration. Cannot fail.
    fn apply(&self, ready: Self::Ready);
}

/// Receiver of SIGHUP, which asks for a reload. From its creation on, the signal no longer ends the process.
#[derive(Debug)]
pub struct HangUp(Signal);

impl HangUp {
    /// Creates the receiver. Call this early: a SIGHUP before would end the process.
    ///
    /// # Errors
    ///
    /// Returns the error of the system call.
    pub fn new() -> io::Result<Self> {
        Ok(Self(signal(SignalKind::hangup())?))
    }
}

/// Reloads a configuration, and records the result.
#[derive(Debug)]
pub struct Reloader<S> {
    source: Arc<S>,
    /// Files of the newest configuration, also when that was refused.
    files: ReadFiles,
    status: ReloadStatus,
    hang_up: HangUp,
}

impl<S: Reload> Reloader<S> {
    /// Creates a reloader for the active configuration, which was read from `files`.
    pub fn new(source: S, files: ReadFiles, status: ReloadStatus, hang_up: HangUp) -> Self {
        Self {
            source: Arc::new(source),
            files,
            status,
            hang_up,
        }
    }

    /// Reloads until the future is dropped.
    pub async fn run(mut self) {
        let mut watch = Watch::default();
        loop {
            // Watches before it reads, so that no change in between is missed. Sets the watch up each time, because links
            // may point to other directories now.
            let is_changed = self.has_changed(&mut watch).await;
            let is_asked = match is_changed {
                true => self.settle(&watch).await,
                false => self.wait(&watch).await,
            };
            if is_asked || is_changed && self.has_changed(&mut watch).await {
                self.reload().await;
            }
        }
    }

    /// Sets up the watch, and returns true if the files have changed since they were read.
    async fn has_changed(&self, watch: &mut Watch) -> bool {
        let files = self.files.clone();
        let (may_log, changed) = (!watch.is_polling(), watch.notify());
        let looked = on_own_thread(move || {
            let watch = Watch::new(files.paths(), changed, may_log);
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

    /// Waits until files may have changed. Returns true if SIGHUP asked for a reload.
    async fn wait(&mut self, watch: &Watch) -> bool {
        let has_files = !self.files.is_empty();
        tokio::select! {
            _ = self.hang_up.0.recv() => true,
            () = watch.changed() => false,
            () = sleep(watch.poll_interval()), if has_files => false,
        }
    }

    /// Waits until the files stop changing, because they are written in parts and several at once. Returns true if SIGHUP
    /// asked for a reload meanwhile.
    ///
    /// notify-debouncer-full would replace these lines only, by a thread that wakes several times a second.
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
                self.source.apply(ready);
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
