//! The log of a test as text.

use std::{
    fmt, io,
    sync::{Arc, Mutex, PoisonError},
};

use tracing::{Level, subscriber::DefaultGuard};
use tracing_subscriber::fmt::MakeWriter;

/// The events of a thread, captured as lines of text. Clones share the text.
///
/// ```
/// use spillover_testing::CapturedLog;
/// use tracing::Level;
///
/// let (log, guard) = CapturedLog::start(Level::INFO);
/// tracing::info!(status = 200, "request");
/// tracing::debug!("details");
/// drop(guard);
/// assert_eq!(log.count(&["INFO", "request", "status=200"]), 1);
/// assert!(!log.text().contains("details"));
/// ```
#[derive(Clone, Default)]
pub struct CapturedLog {
    written: Arc<Mutex<Vec<u8>>>,
}

impl CapturedLog {
    /// Captures the events of this thread at `level` and above, until the guard is dropped.
    #[must_use]
    pub fn start(level: Level) -> (Self, DefaultGuard) {
        let log = Self::default();
        // Other tests have no subscriber. tracing would cache that for a callsite that such a test reaches first.
        let _ = tracing::subscriber::set_global_default(tracing_subscriber::registry());
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(level)
            .with_ansi(false)
            .with_writer(log.clone())
            .finish();
        (log, tracing::subscriber::set_default(subscriber))
    }

    /// Returns the lines so far.
    #[must_use]
    pub fn text(&self) -> String {
        let written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&written).into_owned()
    }

    /// Returns the number of lines that contain all of these parts.
    #[must_use]
    pub fn count(&self, parts: &[&str]) -> usize {
        let contains_all = |line: &&str| parts.iter().all(|part| line.contains(part));
        self.text().lines().filter(contains_all).count()
    }
}

impl io::Write for CapturedLog {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        written.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for CapturedLog {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

impl fmt::Debug for CapturedLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CapturedLog").finish_non_exhaustive()
    }
}
