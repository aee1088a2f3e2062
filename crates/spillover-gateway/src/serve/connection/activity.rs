//! What a connection does, told by those who do it to who watches over it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
    },
    task::Context,
};

use futures_util::task::AtomicWaker;

/// Shared by the socket, the requests and the watch of a connection. All of them are on one thread; and nobody reads a
/// clock to keep it.
#[derive(Debug, Default)]
pub(in crate::serve) struct Activity {
    requests: AtomicU32,
    responding: AtomicU32,
    is_reading: AtomicBool,
    /// Request bodies that somebody has.
    bodies: AtomicU32,
    written: AtomicU32,
    is_write_blocked: AtomicBool,
    /// Frames of responses over HTTP/2, and those after which nobody has asked for more.
    handed: AtomicU32,
    unasked: AtomicU32,
    is_http2: AtomicBool,
    is_leaving: AtomicBool,
    waiting: AtomicWaker,
}

impl Activity {
    /// How many requests have come so far.
    pub(super) fn requests(&self) -> u32 {
        self.requests.load(Relaxed)
    }

    /// Whether a request is under way, until its response is handed over to the last byte.
    pub(super) fn is_responding(&self) -> bool {
        self.responding.load(Relaxed) > 0
    }

    /// Whether a request has come, and nothing is left to do for it.
    pub(super) fn is_done(&self) -> bool {
        self.requests() > 0
            && !self.is_responding()
            && !self.is_reading()
            && !self.is_write_blocked()
    }

    /// Whether there is more of a request body to come. Over HTTP/2 it says nothing.
    pub(super) fn is_reading(&self) -> bool {
        self.is_reading.load(Relaxed)
    }

    /// Whether there is more of a request body to come that nobody will ask for. Over HTTP/2 it says nothing.
    pub(super) fn is_abandoned(&self) -> bool {
        self.is_reading() && self.bodies.load(Relaxed) == 0
    }

    pub(in crate::serve) fn take_body(&self) {
        self.bodies.fetch_add(1, Relaxed);
    }

    pub(in crate::serve) fn drop_body(&self) {
        self.bodies.fetch_sub(1, Relaxed);
    }

    pub(in crate::serve) fn set_reading(&self, is_reading: bool) {
        self.is_reading.store(is_reading, Relaxed);
    }

    /// How often the client's side has taken something.
    pub(super) fn written(&self) -> u32 {
        self.written.load(Relaxed)
    }

    /// Whether the client's side takes nothing for now.
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

    /// How many frames of responses were handed over. Over HTTP/1.1 it says nothing.
    pub(super) fn handed(&self) -> u32 {
        self.handed.load(Relaxed)
    }

    /// Whether a response waits because its client lets it have no more of the window (RFC 9113 section 5.2).
    pub(super) fn is_window_closed(&self) -> bool {
        self.unasked.load(Relaxed) > 0
    }

    pub(super) fn is_http2(&self) -> bool {
        self.is_http2.load(Relaxed)
    }

    pub(super) fn set_http2(&self) {
        self.is_http2.store(true, Relaxed);
    }

    /// Whether the client should use another connection for its next request.
    pub(super) fn is_leaving(&self) -> bool {
        self.is_leaving.load(Relaxed)
    }

    pub(super) fn leave(&self) {
        self.is_leaving.store(true, Relaxed);
    }

    /// Notes who waits for more of a request body, to be woken after a while. Returns whether that will be.
    pub(in crate::serve) fn is_waiting(&self, cx: &mut Context<'_>) -> bool {
        // There is a place for one.
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

/// A request that is under way, until this is dropped.
#[derive(Debug)]
pub(in crate::serve) struct InFlight {
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

    /// Somebody asks for more of the response.
    pub(in crate::serve) fn ask(&mut self) {
        if self.is_unasked {
            self.is_unasked = false;
            self.activity.unasked.fetch_sub(1, Relaxed);
        }
    }

    /// Some of the response was handed over. Nobody asks for more before there is room for it.
    pub(in crate::serve) fn hand_over(&mut self) {
        // By HTTP/1.1 there is the socket to tell.
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
