use std::ops::ControlFlow;

use http::{
    Method, Request,
    header::{CONTENT_ENCODING, CONTENT_TYPE},
};

use super::{
    Extracted, Fields, Unreadable,
    budget::{Budget, Taken},
    edit::announced_length,
    fields,
    form::{Boundary, FormScan},
    json::JsonScan,
};
use crate::coding::{Coding, Decoder};

/// Looks for the fields of a body, chunk by chunk, through its coding.
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
    /// Bytes that were decoded.
    length: u64,
    /// The reason why the body cannot be read to its end.
    unreadable: Option<Unreadable>,
    is_at_end: bool,
    /// For what the decoder holds.
    taken: Taken,
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

    /// Returns true when the search is over with this chunk.
    pub(super) fn read(&mut self, chunk: &[u8]) -> bool {
        self.is_done = match &mut self.coded {
            None => self.scan.scan(chunk),
            Some(coded) => coded.read(chunk, &mut self.scan, self.is_decisive),
        };
        self.is_done
    }

    /// Takes from the budget what the decoder holds by now. Returns false if there is no room for it.
    pub(super) fn has_room(&mut self) -> bool {
        let budget = self.fields.budget();
        let coded = self.coded.as_mut();
        coded.is_none_or(|coded| coded.has_room(budget))
    }

    /// Ends the search at the end of the body.
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

    /// Ends the search before its end, since the body is too large.
    pub(super) fn give_up(&mut self) {
        if let Some(coded) = &mut self.coded {
            coded.give_up(Unreadable::TooLarge(coded.coding));
        }
        self.scan.give_up();
    }

    /// Returns the model, if it was found.
    pub(super) fn model(&self) -> Option<&str> {
        match &self.scan {
            Scan::Json(scan) => scan.model(),
            Scan::Form(scan) => scan.model(),
        }
    }

    /// Returns true if there is more than one model where only one may be.
    pub(super) fn is_ambiguous(&self) -> bool {
        self.scan.is_ambiguous()
    }

    pub(super) fn is_in_path(&self) -> bool {
        self.is_in_path
    }

    pub(super) fn is_decisive(&self) -> bool {
        self.is_decisive
    }

    /// Returns the budget for the saved bytes of all bodies.
    pub(super) fn budget(&self) -> &Budget {
        self.fields.budget()
    }

    /// Returns the number of bytes to read at most.
    pub(super) fn limit(&self) -> u64 {
        fields::limit(self.is_decisive)
    }

    /// Returns true if the extracted fields go into the extensions of the request.
    pub(super) fn is_kept(&self) -> bool {
        self.fields.is_kept()
    }

    /// Returns the values that were found.
    pub(super) fn into_extracted(self) -> Extracted {
        let unreadable = self.coded.as_ref();
        let unreadable = unreadable.and_then(|coded| coded.unreadable.clone());
        let found = match (unreadable, self.scan) {
            (Some(unreadable), _) if self.is_decisive => {
                Extracted::unreadable(self.fields, unreadable)
            }
            (_, Scan::Json(scan)) => Extracted::of_json(self.fields, scan),
            (_, Scan::Form(scan)) => Extracted::of_form(self.fields, *scan),
        };
        let found = found.beside_path(self.is_in_path);
        match self.coded {
            Some(coded) => {
                let length = coded.is_at_end.then_some(coded.length);
                found.in_coding(coded.coding, length, coded.taken)
            }
            None => found,
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
            Kind::Form(Boundary::of(value).ok_or(Unreadable::Boundary)?)
        } else {
            return Ok(None);
        };
        // Backends differ in which of two fields they read.
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
            taken: Taken::default(),
        })
    }

    /// Shows the scan what the chunk decodes to, and returns true when the search is over. Where the model decides, that is at
    /// the end of the body: it has to be whole, and may have to be sent decoded.
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
        let held = self.length.min(WINDOW) as usize;
        let more = held.saturating_sub(self.taken.bytes());
        more == 0 || self.taken.take(budget, more)
    }

    fn give_up(&mut self, why: Unreadable) {
        self.unreadable.get_or_insert(why);
    }
}

/// The most bytes that a decoder holds of what it decoded: the window of brotli, which is the largest.
const WINDOW: u64 = 16 << 20;

const JSON: &[u8] = b"application/json";
const FORM: &[u8] = b"multipart/form-data";
