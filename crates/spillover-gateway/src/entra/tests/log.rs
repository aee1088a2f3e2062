use std::{
    io,
    sync::{Arc, Mutex},
};

use tracing::{Level, subscriber::DefaultGuard};
use tracing_subscriber::fmt::MakeWriter;

/// Captures the log of this thread until the guard is dropped.
#[derive(Clone, Default)]
pub(super) struct Log {
    written: Arc<Mutex<Vec<u8>>>,
}

impl Log {
    pub(super) fn start(level: Level) -> (Self, DefaultGuard) {
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

    pub(super) fn text(&self) -> String {
        String::from_utf8(self.written.lock().unwrap().clone()).unwrap()
    }

    /// Returns the lines that contain all of these texts.
    pub(super) fn count(&self, parts: &[&str]) -> usize {
        let is_it = |line: &&str| parts.iter().all(|part| line.contains(part));
        self.text().lines().filter(is_it).count()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.written.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}
