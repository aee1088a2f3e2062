use std::{
    collections::VecDeque,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http::HeaderMap;
use http_body::Frame;

use super::error::ScriptedError;

/// The remaining steps, and counters of the played ones.
#[derive(Debug, Default)]
pub(super) struct Script {
    pub(super) steps: VecDeque<Step>,
    pub(super) record: Record,
    ended: bool,
    waker: Option<Waker>,
}

#[derive(Debug)]
pub(super) enum Step {
    Data(Bytes),
    Trailers(HeaderMap),
    Error(ScriptedError),
    Pending,
    Pause,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Record {
    pub(super) polls: usize,
    pub(super) polls_after_end: usize,
    pub(super) data_frames: usize,
    pub(super) data_bytes: u64,
    pub(super) trailers: bool,
    pub(super) dropped: bool,
    pub(super) dropped_early: bool,
}

impl Script {
    pub(super) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ScriptedError>>> {
        self.record.polls += 1;
        if self.ended {
            self.record.polls_after_end += 1;
            return Poll::Ready(None);
        }
        let Some(step) = self.steps.pop_front() else {
            self.ended = true;
            return Poll::Ready(None);
        };
        match step {
            Step::Data(data) => {
                self.record.data_frames += 1;
                self.record.data_bytes += data.len() as u64;
                Poll::Ready(Some(Ok(Frame::data(data))))
            }
            Step::Trailers(trailers) => {
                self.record.trailers = true;
                Poll::Ready(Some(Ok(Frame::trailers(trailers))))
            }
            Step::Error(error) => {
                self.ended = true;
                Poll::Ready(Some(Err(error)))
            }
            Step::Pending => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Step::Pause => {
                self.steps.push_front(Step::Pause);
                self.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    /// Returns true if no frame is left, even if the end was not polled yet.
    pub(super) fn is_over(&self) -> bool {
        self.ended || self.steps.is_empty()
    }

    pub(super) fn bytes_left(&self) -> u64 {
        let len = |step: &Step| match step {
            Step::Data(data) => data.len() as u64,
            _ => 0,
        };
        self.steps.iter().map(len).sum()
    }

    /// Adds a step before the first pause, so that a paused body yields it next.
    #[must_use = "the waker must be woken, without the lock"]
    pub(super) fn push(&mut self, step: Step) -> Option<Waker> {
        let pause = |step: &Step| matches!(step, Step::Pause);
        let at = self.steps.iter().position(pause);
        self.steps.insert(at.unwrap_or(self.steps.len()), step);
        self.waker.take()
    }

    /// Removes the first pause.
    #[must_use = "the waker must be woken, without the lock"]
    pub(super) fn resume(&mut self) -> Option<Waker> {
        let pause = |step: &Step| matches!(step, Step::Pause);
        if let Some(at) = self.steps.iter().position(pause) {
            self.steps.remove(at);
        }
        self.waker.take()
    }

    pub(super) fn dropped(&mut self) {
        self.record.dropped = true;
        self.record.dropped_early = !self.is_over();
        self.waker = None;
    }
}
