//! Resources that a response body holds for its request.

use http_body::Frame;

/// A resource that is held for a request. Dropping it gives it back.
pub(crate) trait Guard {
    /// Records that the body failed. The guard is dropped next.
    fn record_broken(&self) {}
}

impl Guard for () {}

/// Drops the guard of a body that ends with this frame, or that the frame says is at its end.
#[inline]
pub(crate) fn release_at_end<D, E, G: Guard>(
    guard: &mut Option<G>,
    frame: Option<&Result<Frame<D>, E>>,
    is_end: bool,
) {
    let is_last = match frame {
        Some(Ok(frame)) => is_end || frame.is_trailers(),
        Some(Err(_)) => {
            guard.iter().for_each(Guard::record_broken);
            true
        }
        None => true,
    };
    if is_last {
        *guard = None;
    }
}
