use std::{pin::pin, time::Duration};

use bytes::Bytes;
use http_body::Body;
use http_body_util::BodyExt;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split},
    time::timeout,
};

use super::{UpgradedWriter, writer::Writer};

/// Copies bytes both ways until both sides have ended, or one has failed. Dropping the future closes both sides.
pub(super) async fn tunnel<B>(client: OnUpgrade, backend: B, writer: UpgradedWriter)
where
    B: Body<Data = Bytes, Error: Send>,
{
    // Fails if the client has gone before it could read the 101.
    let (Ok(client), Some(writer)) = (client.await, writer.take()) else {
        return;
    };
    let (from_client, to_client) = split(TokioIo::new(client));
    let mut up = pin!(carry_up(from_client, writer));
    let mut down = pin!(carry_down(backend, to_client));
    // A direction that is dropped before its end counts as cancelled in the log.
    tokio::select! {
        end = &mut up => if end == End::Ended {
            let _ = timeout(HALF_OPEN, down).await;
        },
        end = &mut down => if end == End::Ended {
            let _ = timeout(HALF_OPEN, up).await;
        },
    }
}

/// End of one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// The sender has ended, and the other side was closed for writing. The other direction may go on.
    Ended,
    /// A side has failed.
    Gone,
}

async fn carry_up(mut client: impl AsyncRead + Unpin, mut backend: Writer) -> End {
    let mut chunk = Vec::with_capacity(CHUNK);
    loop {
        chunk.clear();
        match client.read_buf(&mut chunk).await {
            Ok(0) => {
                backend.end().await;
                return End::Ended;
            }
            // A backend that accepts no more bytes may have sent the reason.
            Ok(_) if backend.write(&chunk).await.is_err() => return End::Ended,
            Ok(_) => {}
            Err(error) => {
                tracing::debug!(%error, "the client left the tunnel");
                return End::Gone;
            }
        }
    }
}

async fn carry_down<B>(backend: B, mut client: impl AsyncWrite + Unpin) -> End
where
    B: Body<Data = Bytes, Error: Send>,
{
    let mut backend = pin!(backend);
    while let Some(frame) = backend.frame().await {
        let Ok(frame) = frame else {
            return End::Gone;
        };
        let Ok(chunk) = frame.into_data() else {
            continue;
        };
        if client.write_all(&chunk).await.is_err() || client.flush().await.is_err() {
            return End::Gone;
        }
    }
    // Fails if the client has gone already.
    let _ = client.shutdown().await;
    End::Ended
}

/// Time that one direction may go on after the other has ended. A closed WebSocket has no more data (RFC 6455 section 7.1.1).
const HALF_OPEN: Duration = Duration::from_secs(10);

/// Read size, in bytes. Realtime audio comes in messages of a few KiB.
const CHUNK: usize = 16 << 10;
