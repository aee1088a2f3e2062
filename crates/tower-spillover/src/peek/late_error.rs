use std::ops::ControlFlow;

use bytes::Bytes;
use http_body::Frame;
use spillover_core::{Selected, layer::SelectedProtocol};
use spillover_hint::Report;

use super::{event::Reader, form::Form};
use crate::coding::{Coding, DecodeError};

/// Looks for an error in a stream that is being passed on to the client.
#[derive(Debug)]
pub(super) struct LateErrorWatch {
    reader: Reader,
    selected: Selected,
}

impl LateErrorWatch {
    pub(super) fn new(form: Form, coding: Option<Coding>, selected: Selected) -> Box<Self> {
        Box::new(Self {
            reader: Reader::new(form, coding),
            selected,
        })
    }

    /// Looks at what the stream yielded; `is_end` says that nothing follows. Breaks if there is nothing more to look for.
    #[inline]
    pub(super) fn check_frame<E>(
        &mut self,
        frame: Option<&Result<Frame<Bytes>, E>>,
        is_end: bool,
    ) -> ControlFlow<()> {
        if let (Some(Ok(frame)), false) = (frame, is_end)
            && let Some(data) = frame.data_ref()
            && self.reader.is_whole_events_without_error(data)
        {
            return ControlFlow::Continue(());
        }
        self.read_frame(frame, is_end)
    }

    fn read_frame<E>(
        &mut self,
        frame: Option<&Result<Frame<Bytes>, E>>,
        is_end: bool,
    ) -> ControlFlow<()> {
        let mut report = match frame.map(|frame| frame.as_ref().map(|frame| self.report(frame))) {
            Some(Ok(Ok(report))) => report,
            // The rest cannot be read, or will not come.
            Some(Ok(Err(_)) | Err(_)) => return ControlFlow::Break(()),
            None => None,
        };
        let is_end = is_end || frame.is_none();
        if report.is_none() && is_end {
            report = self.reader.finish(|event| only_cooling(event.report()));
        }
        if let Some(report) = &report {
            self.record_error(report);
        }
        match report.is_some() || is_end {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }

    fn report(&mut self, frame: &Frame<Bytes>) -> Result<Option<Report>, DecodeError> {
        if let Some(data) = frame.data_ref() {
            return self.reader.read(data, |event| only_cooling(event.report()));
        }
        let trailers = frame.trailers_ref().filter(|_| self.reader.is_grpc());
        Ok(trailers.and_then(|trailers| only_cooling(Report::from_trailers(trailers))))
    }

    fn record_error(&self, report: &Report) {
        self.selected.record_broken();
        tracing::warn!(
            backend = self.selected.backend().label(),
            class = report.refusal().as_str(),
            cause = report.cause(),
            "stream ended with an error"
        );
    }
}

/// Drops the report of an error that is the request's fault.
fn only_cooling(report: Option<Report>) -> Option<Report> {
    report.filter(|report| report.refusal().cools())
}
