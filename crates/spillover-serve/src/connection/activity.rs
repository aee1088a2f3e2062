//! Counters and flags of a connection, written by its parts and read by its timer.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
    },
    task::Context,
};

use futures_util::task::AtomicWaker;

/// State that the socket, the requests and the timer of a connection share. All of them run on one thread, and none reads a
/// clock to update it.
#[derive(Debug, Default)]
pub(crate) struct Activity {
    requests: AtomicU32,
    responding: AtomicU32,
    is_reading: AtomicBool,
    /// Number of request bodies that are not dropped.
    bodies: AtomicU32,
    written: AtomicU32,
    is_write_blocked: AtomicBool,
    /// Response frames over HTTP/2, and responses that were not polled again since their last frame.
    handed: AtomicU32,
    unasked: AtomicU32,
    is_http2: AtomicBool,
    is_leaving: AtomicBool,
    waiting: AtomicWaker,
}

impl Activity {
    /// Returns the number of requests so far.
    pub(super) fn requests(&self) -> u32 {
        self.requests.load(Relaxed)
    }

    /// Returns true while a request is in flight, until the last byte of its response is handed to hyper.
    pub(super) fn is_responding(&self) -> bool {
        self.responding.load(Relaxed) > 0
    }

    /// Returns true after a request for which nothing is left to do.
    pub(super) fn is_done(&self) -> bool {
        self.requests() > 0
            && !self.is_responding()
            && !self.is_reading()
            && !self.is_write_blocked()
    }

    /// Returns true if more of a request body is to come. Meaningless over HTTP/2.
    pub(super) fn is_reading(&self) -> bool {
        self.is_reading.load(Relaxed)
    }

    /// Returns true if more of a request body is to come, but the body was dropped. Meaningless over HTTP/2.
    pub(super) fn is_abandoned(&self) -> bool {
        self.is_reading() && self.bodies.load(Relaxed) == 0
    }

    pub(crate) fn take_body(&self) {
        self.bodies.fetch_add(1, Relaxed);
    }

    pub(crate) fn drop_body(&self) {
        self.bodies.fetch_sub(1, Relaxed);
    }

    pub(crate) fn set_reading(&self, is_reading: bool) {
        self.is_reading.store(is_reading, Relaxed);
    }

    /// Returns the number of writes that the client's side has accepted.
    pub(super) fn written(&self) -> u32 {
        self.written.load(Relaxed)
    }

    /// Returns true if the client's side accepts no bytes for now.
    pub(super) fn is_write_blocked(&self) -> bool {
        self.is_write_blocked.load(Relaxed)
    }

    pub(super) fn write_blocked(&self) {
        self.is_write_blocked.store(true, Relaxed);
    }

    pub(super) fn wrote(&self) {
        self.is_write_blocked.store(false, Relaxed);
        self.written.fetch_add(1, Relaxed);
    }

    /// Returns the number of response frames that were handed to hyper. Meaningless over HTTP/1.1.
    pub(super) fn handed(&self) -> u32 {
        self.handed.load(Relaxed)
    }

    /// Returns true if a response waits for the client to open its flow-control window (RFC 9113 section 5.2).
    pub(super) fn is_window_closed(&self) -> bool {
        self.unasked.load(Relaxed) > 0
    }

    pub(super) fn is_http2(&self) -> bool {
        self.is_http2.load(Relaxed)
    }

    pub(super) fn set_http2(&self) {
        self.is_http2.store(true, Relaxed);
    }

    /// Returns true if the client should use another connection for its next request.
    pub(super) fn is_leaving(&self) -> bool {
        self.is_leaving.load(Relaxed)
    }

    pub(super) fn leave(&self) {
        self.is_leaving.store(true, Relaxed);
    }

    /// Registers a task that waits for more of a request body. Returns true if the timer will wake it.
    pub(crate) fn is_waiting(&self, cx: &mut Context<'_>) -> bool {
        // There is room for one waker, and HTTP/2 has several bodies.
        if self.is_http2() {
            return false;
        }
        self.waiting.register(cx.waker());
        true
    }

    pub(super) fn wake_waiting(&self) {
        self.waiting.wake();
    }
}

/// Guard of a request in flight, until it is dropped.
#[derive(Debug)]
pub(crate) struct InFlight {
    activity: Arc<Activity>,
    is_unasked: bool,
}

impl InFlight {
    pub(super) fn new(activity: &Arc<Activity>) -> Self {
        activity.requests.fetch_add(1, Relaxed);
        activity.responding.fetch_add(1, Relaxed);
        Self {
            activity: Arc::clone(activity),
            is_unasked: false,
        }
    }

    /// Records that hyper polls for more of the response.
    pub(crate) fn ask(&mut self) {
        if self.is_unasked {
            self.is_unasked = false;
            self.activity.unasked.fetch_sub(1, Relaxed);
        }
    }

    /// Records that a frame was handed to hyper, which polls again when there is room for more.
    pub(crate) fn hand_over(&mut self) {
        // Over HTTP/1.1 the socket shows whether the client reads.
        if self.activity.is_http2() {
            self.is_unasked = true;
            self.activity.unasked.fetch_add(1, Relaxed);
            self.activity.handed.fetch_add(1, Relaxed);
        }
    }

    pub(super) fn activity(&self) -> &Activity {
        &self.activity
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.ask();
        self.activity.responding.fetch_sub(1, Relaxed);
    }
}
