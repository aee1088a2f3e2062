use std::{
    fmt, io,
    sync::{Arc, Mutex, PoisonError},
};

use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncWriteExt, WriteHalf};

use crate::Progress;

/// Write half of an upgraded connection to a backend. An extension of its response.
///
/// Clones share the writer, which can be taken once.
#[derive(Clone)]
pub struct UpgradedWriter {
    writer: Arc<Mutex<Option<Writer>>>,
}

impl UpgradedWriter {
    /// Creates a writer. Bytes that it writes are added to the `progress` of the request.
    #[must_use]
    pub fn new(half: WriteHalf<TokioIo<Upgraded>>, progress: Option<Progress>) -> Self {
        let writer = Writer { half, progress };
        Self {
            writer: Arc::new(Mutex::new(Some(writer))),
        }
    }

    pub(super) fn take(&self) -> Option<Writer> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        writer.take()
    }
}

impl fmt::Debug for UpgradedWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpgradedWriter").finish_non_exhaustive()
    }
}

pub(super) struct Writer {
    half: WriteHalf<TokioIo<Upgraded>>,
    progress: Option<Progress>,
}

impl Writer {
    pub(super) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.half.write_all(bytes).await?;
        // Flushes the buffer of TLS.
        self.half.flush().await?;
        if let Some(progress) = &self.progress {
            progress.add_received(bytes.len());
        }
        Ok(())
    }

    /// Closes the connection for writing.
    pub(super) async fn end(&mut self) {
        // Fails if the backend has gone already.
        let _ = self.half.shutdown().await;
    }
}
