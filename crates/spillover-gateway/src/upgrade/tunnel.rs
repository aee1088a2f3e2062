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

use super::{Uplink, uplink::Writer};

/// Carries bytes both ways until both sides have ended, or one is gone. Dropped, it closes both.
pub(super) async fn tunnel<B>(client: OnUpgrade, backend: B, uplink: Uplink)
where
    B: Body<Data = Bytes, Error: Send>,
{
    // A client that has gone away before it could read the 101 has nothing to say.
    let (Ok(client), Some(writer)) = (client.await, uplink.take()) else {
        return;
    };
    let (from_client, to_client) = split(TokioIo::new(client));
    let mut up = pin!(carry_up(from_client, writer));
    let mut down = pin!(carry_down(backend, to_client));
    // What is dropped here without an end is a tunnel that was cancelled.
    tokio::select! {
        end = &mut up => if end == End::Ended {
            let _ = timeout(HALF_OPEN, down).await;
        },
        end = &mut down => if end == End::Ended {
            let _ = timeout(HALF_OPEN, up).await;
        },
    }
}

/// How one direction ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// Nothing more comes, and the other side has been told so. It may have something to say yet.
    Ended,
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
            // A backend that takes nothing more may have said why.
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
    // It may be gone already, which is as good.
    let _ = client.shutdown().await;
    End::Ended
}

/// How long one side may go on when the other has ended. A WebSocket has nothing to say then (RFC 6455 section 7.1.1).
const HALF_OPEN: Duration = Duration::from_secs(10);

/// Audio comes in messages of some KiB.
const CHUNK: usize = 16 << 10;
