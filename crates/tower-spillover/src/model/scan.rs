use std::ops::ControlFlow;

use http::{
    Method, Request,
    header::{CONTENT_ENCODING, CONTENT_TYPE},
};

use super::{
    Extracted, Fields, Unreadable,
    budget::{Budget, Reservation},
    edit::announced_length,
    fields,
    form::{Boundary, FormScan},
    json::JsonScan,
};
use crate::coding::{Coding, Decoder};

/// Extracts the fields of a body chunk by chunk, and decodes its coding.
#[derive(Debug)]
pub(super) struct BodyScan {
    fields: Fields,
    scan: Scan,
    is_in_path: bool,
    is_decisive: bool,
    is_done: bool,
    coded: Option<Box<Coded>>,
}

/// The format of a body: its media type and its content coding.
#[derive(Debug)]
pub(super) struct BodyFormat {
    kind: Kind,
    coding: Option<Coding>,
}

#[derive(Debug)]
enum Kind {
    Json,
    Form(Boundary),
}

#[derive(Debug)]
enum Scan {
    Json(JsonScan),
    Form(Box<FormScan>),
}

/// A body in a coding.
#[derive(Debug)]
struct Coded {
    coding: Coding,
    decoder: Decoder,
    /// The number of decoded bytes.
    length: u64,
    /// The reason why the body cannot be read to its end.
    unreadable: Option<Unreadable>,
    is_at_end: bool,
    /// The memory of the decoder.
    reservation: Reservation,
}

impl BodyScan {
    /// Creates the scan of a body in this format.
    pub(super) fn new(format: BodyFormat, fields: &Fields, is_in_path: bool) -> Self {
        let is_decisive = fields.is_decisive(is_in_path);
        let scan = match format.kind {
            Kind::Json => Scan::Json(JsonScan::new(fields.clone(), is_decisive)),
            Kind::Form(boundary) => Scan::Form(Box::new(FormScan::new(boundary, is_decisive))),
        };
        Self {
            fields: fields.clone(),
            scan,
            is_in_path,
            is_decisive,
            is_done: false,
            coded: format.coding.map(Coded::new),
        }
    }

    /// Scans a chunk. Returns true when the scan is complete.
    pub(super) fn read(&mut self, chunk: &[u8]) -> bool {
        self.is_done = match &mut self.coded {
            None => self.scan.scan(chunk),
            Some(coded) => coded.read(chunk, &mut self.scan, self.is_decisive),
        };
        self.is_done
    }

    /// Reserves the memory that the decoder uses. Returns false if the budget is exhausted.
    pub(super) fn has_room(&mut self) -> bool {
        let budget = self.fields.budget();
        let coded = self.coded.as_mut();
        coded.is_none_or(|coded| coded.has_room(budget))
    }

    /// Ends the scan at the end of the body.
    pub(super) fn finish(&mut self) {
        match &mut self.coded {
            Some(coded) if !self.is_done && !coded.decoder.is_complete() => {
                coded.give_up(Unreadable::Corrupt(coded.coding));
            }
            Some(coded) => coded.is_at_end = !self.is_done,
            None => {}
        }
        self.scan.finish();
    }

    /// Ends the scan before the end of the body, which is too large.
    pub(super) fn give_up(&mut self) {
        if let Some(coded) = &mut self.coded {
            coded.give_up(Unreadable::TooLarge(coded.coding));
        }
        self.scan.give_up();
    }

    /// Returns the model, if the body has one.
    pub(super) fn model(&self) -> Option<&str> {
        match &self.scan {
            Scan::Json(scan) => scan.model(),
            Scan::Form(scan) => scan.model(),
        }
    }

    /// Returns true if the model is decisive and the body has more than one.
    pub(super) fn is_ambiguous(&self) -> bool {
        self.scan.is_ambiguous()
    }

    pub(super) fn is_in_path(&self) -> bool {
        self.is_in_path
    }

    pub(super) fn is_decisive(&self) -> bool {
        self.is_decisive
    }

    /// Returns the budget for the memory of all bodies.
    pub(super) fn budget(&self) -> &Budget {
        self.fields.budget()
    }

    /// Returns the largest number of bytes to read.
    pub(super) fn limit(&self) -> u64 {
        fields::limit(self.is_decisive)
    }

    /// Returns true if the extracted values go into the extensions of the request.
    pub(super) fn is_extracted(&self) -> bool {
        self.fields.is_extracted()
    }

    /// Returns the extracted values.
    pub(super) fn into_extracted(self) -> Extracted {
        let unreadable = self.coded.as_ref();
        let unreadable = unreadable.and_then(|coded| coded.unreadable.clone());
        let extracted = match (unreadable, self.scan) {
            (Some(unreadable), _) if self.is_decisive => {
                Extracted::unreadable(self.fields, unreadable)
            }
            (_, Scan::Json(scan)) => Extracted::of_json(self.fields, scan),
            (_, Scan::Form(scan)) => Extracted::of_form(self.fields, *scan),
        };
        let extracted = extracted.in_path(self.is_in_path);
        match self.coded {
            Some(coded) => {
                let length = coded.is_at_end.then_some(coded.length);
                extracted.in_coding(coded.coding, length, coded.reservation)
            }
            None => extracted,
        }
    }
}

impl BodyFormat {
    /// Returns the format of a request body. `None` if bodies of that type or length are not read.
    pub(super) fn of_request<B>(
        request: &Request<B>,
        limit: u64,
    ) -> Result<Option<Self>, Unreadable> {
        let headers = request.headers();
        let mut types = headers.get_all(CONTENT_TYPE).iter();
        let Some(value) = types.next().filter(|_| request.method() == Method::POST) else {
            return Ok(None);
        };
        let is = |expected: &[u8]| {
            let start = value.as_bytes().get(..expected.len());
            start.is_some_and(|start| start.eq_ignore_ascii_case(expected))
        };
        let kind = if is(JSON) {
            Kind::Json
        } else if is(FORM) {
            Kind::Form(Boundary::of_content_type(value).ok_or(Unreadable::Boundary)?)
        } else {
            return Ok(None);
        };
        // Backends differ in which of two `content-type` fields they read.
        if types.next().is_some() {
            return Err(Unreadable::Types);
        }
        if announced_length(headers).is_some_and(|length| length > limit) {
            return Ok(None);
        }
        let coding = match headers.contains_key(CONTENT_ENCODING) {
            true => Coding::of(headers).map_err(|_| Unreadable::of_coding(headers))?,
            false => None,
        };
        Ok(Some(Self { kind, coding }))
    }
}

impl Scan {
    fn scan(&mut self, chunk: &[u8]) -> bool {
        match self {
            Self::Json(scan) => scan.scan(chunk),
            Self::Form(scan) => scan.scan(chunk),
        }
    }

    fn is_ambiguous(&self) -> bool {
        match self {
            Self::Json(scan) => scan.is_ambiguous(),
            Self::Form(scan) => scan.is_ambiguous(),
        }
    }

    fn finish(&mut self) {
        match self {
            Self::Json(_) => {}
            Self::Form(scan) => scan.finish(),
        }
    }

    fn give_up(&mut self) {
        match self {
            Self::Json(scan) => scan.give_up(),
            Self::Form(scan) => scan.give_up(),
        }
    }
}

impl Coded {
    fn new(coding: Coding) -> Box<Self> {
        Box::new(Self {
            coding,
            decoder: Decoder::new(coding),
            length: 0,
            unreadable: None,
            is_at_end: false,
            reservation: Reservation::default(),
        })
    }

    /// Decodes a chunk and scans it. Returns true when the scan is complete. If the model is decisive, that is at the end of
    /// the body: the body has to be complete, and an attempt may send it decoded.
    fn read(&mut self, chunk: &[u8], scan: &mut Scan, is_decisive: bool) -> bool {
        let limit = fields::limit(is_decisive);
        let length = &mut self.length;
        let decoded = self.decoder.decode(chunk, |piece| {
            *length += piece.len() as u64;
            if scan.scan(piece) && (!is_decisive || scan.is_ambiguous()) {
                ControlFlow::Break(true)
            } else if *length > limit {
                ControlFlow::Break(false)
            } else {
                ControlFlow::Continue(())
            }
        });
        match decoded {
            Ok(ControlFlow::Continue(())) => return false,
            Ok(ControlFlow::Break(true)) => return true,
            Ok(ControlFlow::Break(false)) => self.give_up(Unreadable::TooLarge(self.coding)),
            Err(error) if error.is_bomb() => self.give_up(Unreadable::TooLarge(self.coding)),
            Err(_) => self.give_up(Unreadable::Corrupt(self.coding)),
        }
        scan.give_up();
        true
    }

    fn has_room(&mut self, budget: &Budget) -> bool {
        let used = self.length.min(WINDOW) as usize;
        let more = used.saturating_sub(self.reservation.bytes());
        more == 0 || self.reservation.reserve(budget, more)
    }

    fn give_up(&mut self, reason: Unreadable) {
        self.unreadable.get_or_insert(reason);
    }
}

/// The largest memory of a decoder: the window of brotli.
const WINDOW: u64 = 16 << 20;

const JSON: &[u8] = b"application/json";
const FORM: &[u8] = b"multipart/form-data";
