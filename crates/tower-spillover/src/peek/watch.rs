use bytes::Bytes;
use http_body::Frame;
use spillover_core::Selected;
use spillover_hint::Report;

use super::{event::Reader, form::Form};
use crate::coding::{Coding, DecodeError};

/// Looks for an error in a stream that is passed on.
#[derive(Debug)]
pub(super) struct Watch {
    reader: Reader,
    selected: Selected,
}

impl Watch {
    pub(super) fn new(form: Form, coding: Option<Coding>, selected: Selected) -> Box<Self> {
        Box::new(Self {
            reader: Reader::new(form, coding),
            selected,
        })
    }

    /// Looks at what the stream yielded, maybe as its last: whether there is nothing more to look for.
    pub(super) fn look<E>(
        &mut self,
        frame: Option<&Result<Frame<Bytes>, E>>,
        is_end: bool,
    ) -> bool {
        let mut report = match frame.map(|frame| frame.as_ref().map(|frame| self.report(frame))) {
            Some(Ok(Ok(report))) => report,
            // The rest cannot be read, or will not come.
            Some(Ok(Err(_)) | Err(_)) => return true,
            None => None,
        };
        let is_end = is_end || frame.is_none();
        if report.is_none() && is_end {
            report = self.reader.finish(|event| backends(event.report()));
        }
        if let Some(report) = &report {
            self.note(report);
        }
        report.is_some() || is_end
    }

    fn report(&mut self, frame: &Frame<Bytes>) -> Result<Option<Report>, DecodeError> {
        if let Some(data) = frame.data_ref() {
            return self.reader.read(data, |event| backends(event.report()));
        }
        let trailers = frame.trailers_ref().filter(|_| self.reader.is_grpc());
        Ok(trailers.and_then(|trailers| backends(Report::from_trailers(trailers))))
    }

    fn note(&self, report: &Report) {
        self.selected.record_broken();
        tracing::warn!(
            backend = self.selected.backend().label(),
            class = report.refusal().as_str(),
            cause = report.cause(),
            "stream ended with an error"
        );
    }
}

/// An error of the request is not the backend's.
fn backends(report: Option<Report>) -> Option<Report> {
    report.filter(|report| report.refusal().cools())
}
