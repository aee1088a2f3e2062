use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::HeaderMap;

use super::{
    error::ScriptedError,
    script::{Record, Script, Step},
};
use crate::sync::lock;

/// Observes a [`ScriptedBody`](super::ScriptedBody), even after it is dropped, and feeds it.
///
/// Pushed frames come before the body's first [pause](super::ScriptedBody::pause), or at the end of a script without
/// one.
#[derive(Clone, Debug)]
pub struct BodyHandle {
    script: Arc<Mutex<Script>>,
}

impl BodyHandle {
    pub(super) fn new(script: Arc<Mutex<Script>>) -> Self {
        Self { script }
    }

    /// Pushes a data frame.
    pub fn push_data(&self, data: impl Into<Bytes>) {
        self.push(Step::Data(data.into()));
    }

    /// Pushes trailers.
    pub fn push_trailers(&self, trailers: HeaderMap) {
        self.push(Step::Trailers(trailers));
    }

    /// Pushes an error.
    pub fn push_error(&self, message: impl Into<String>) {
        self.push(Step::Error(ScriptedError::new(message.into())));
    }

    /// Ends the first pause: the body continues with the next step.
    pub fn resume(&self) {
        let waker = lock(&self.script).resume();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Returns the number of polls.
    pub fn polls(&self) -> usize {
        self.record().polls
    }

    /// Returns the number of polls after the body had ended or failed.
    pub fn polls_after_end(&self) -> usize {
        self.record().polls_after_end
    }

    /// Returns the number of yielded data frames.
    pub fn data_frames(&self) -> usize {
        self.record().data_frames
    }

    /// Returns the number of bytes in the yielded data frames.
    pub fn data_bytes(&self) -> u64 {
        self.record().data_bytes
    }

    /// Returns true if trailers were yielded.
    pub fn trailers_read(&self) -> bool {
        self.record().trailers
    }

    /// Returns true if the body was dropped.
    pub fn is_dropped(&self) -> bool {
        self.record().dropped
    }

    /// Returns true if the body was dropped before the end of its script.
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
