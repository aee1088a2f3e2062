use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::HeaderMap;

use super::{
    error::ScriptedError,
    script::{Record, Script, Step},
};
use crate::sync::lock;

/// Observes a [`ScriptedBody`](super::ScriptedBody), also after it is gone, and feeds it.
///
/// What is pushed comes before the body's first [pause](super::ScriptedBody::pause), or at the end
/// of the script if there is none.
#[derive(Clone, Debug)]
pub struct BodyHandle {
    script: Arc<Mutex<Script>>,
}

impl BodyHandle {
    pub(super) fn new(script: Arc<Mutex<Script>>) -> Self {
        Self { script }
    }

    /// Gives a data frame to the body.
    pub fn push_data(&self, data: impl Into<Bytes>) {
        self.push(Step::Data(data.into()));
    }

    /// Gives trailers to the body.
    pub fn push_trailers(&self, trailers: HeaderMap) {
        self.push(Step::Trailers(trailers));
    }

    /// Lets the body fail.
    pub fn push_error(&self, message: impl Into<String>) {
        self.push(Step::Error(ScriptedError::new(message.into())));
    }

    /// Ends the first pause: the body goes on with what follows it.
    pub fn resume(&self) {
        let waker = lock(&self.script).resume();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Times that the body was polled for a frame.
    pub fn polls(&self) -> usize {
        self.record().polls
    }

    /// Polls that came after the body had ended or failed.
    pub fn polls_after_end(&self) -> usize {
        self.record().polls_after_end
    }

    /// Data frames yielded.
    pub fn data_frames(&self) -> usize {
        self.record().data_frames
    }

    /// Bytes in the data frames yielded.
    pub fn data_bytes(&self) -> u64 {
        self.record().data_bytes
    }

    /// Whether trailers were yielded.
    pub fn trailers_read(&self) -> bool {
        self.record().trailers
    }

    /// Whether the body is gone.
    pub fn is_dropped(&self) -> bool {
        self.record().dropped
    }

    /// Whether the body is gone and a part of its script was never played.
    pub fn dropped_early(&self) -> bool {
        self.record().dropped_early
    }

    fn push(&self, step: Step) {
        let waker = lock(&self.script).push(step);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn record(&self) -> Record {
        lock(&self.script).record
    }
}
