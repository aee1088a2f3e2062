use std::{
    fmt, io,
    sync::{Arc, Mutex, PoisonError},
};

use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncWriteExt, WriteHalf};

use crate::access_log::Progress;

/// The way to a backend that has switched the protocol, in the extensions of its response. Clones share it, and one can take
/// it.
#[derive(Clone)]
pub(crate) struct Uplink {
    writer: Arc<Mutex<Option<Writer>>>,
}

impl Uplink {
    /// What goes through is told to the `progress` of the request.
    pub(crate) fn new(half: WriteHalf<TokioIo<Upgraded>>, progress: Option<Progress>) -> Self {
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

impl fmt::Debug for Uplink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Uplink").finish_non_exhaustive()
    }
}

pub(super) struct Writer {
    half: WriteHalf<TokioIo<Upgraded>>,
    progress: Option<Progress>,
}

impl Writer {
    pub(super) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.half.write_all(bytes).await?;
        // TLS may still have it.
        self.half.flush().await?;
        if let Some(progress) = &self.progress {
            progress.add_received(bytes.len());
        }
        Ok(())
    }

    /// Says that nothing more comes.
    pub(super) async fn end(&mut self) {
        // It may be gone already, which is as good.
        let _ = self.half.shutdown().await;
    }
}
