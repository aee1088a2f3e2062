//! Finds the model in forms (multipart/form-data, RFC 7578) while they stream in.
//!
//! Parsers of forms differ in what they take. This one takes what any of them takes, and says of a form that they read
//! differently that it is ambiguous. Libraries such as `multer` parse forms, but do not say where a part stands.

mod boundary;
mod disposition;

use memchr::memchr;

pub(super) use self::boundary::Boundary;
use self::disposition::Name;
use super::extracted::FieldValue;

/// Looks for the part `model` of a form, chunk by chunk.
#[derive(Debug)]
pub(super) struct FormScan {
    boundary: Boundary,
    is_decisive: bool,
    state: State,
    /// The head of the part, or the model, or the rest of a delimiter line: as far as it was read, and never much of it.
    kept: Vec<u8>,
    /// The beginning of the model, while it is read.
    value_at: Option<usize>,
    /// Bytes of the chunks before.
    passed: usize,
    /// The beginning of the first delimiter.
    first_at: Option<usize>,
    /// The model of the first part with that name; without a text where that is not UTF-8 of moderate length.
    found: Option<FieldValue>,
    is_closed: bool,
    is_ambiguous: bool,
    is_done: bool,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// In a line that began at `start` and has, so far, `matched` bytes of a delimiter and nothing else.
    Start {
        start: usize,
        matched: usize,
    },
    /// In a line of content that is no delimiter.
    Line,
    /// After a delimiter, in its line.
    Delimiter,
    Head,
}

impl FormScan {
    /// Looks for the model. If it is decisive, the search goes on to the end of the form, for a second one.
    pub(super) fn new(boundary: Boundary, is_decisive: bool) -> Self {
        Self {
            boundary,
            is_decisive,
            state: State::Start {
                start: 0,
                matched: 0,
            },
            kept: Vec::new(),
            value_at: None,
            passed: 0,
            first_at: None,
            found: None,
            is_closed: false,
            is_ambiguous: false,
            is_done: false,
        }
    }

    /// Returns true when the search is over with this chunk.
    pub(super) fn scan(&mut self, chunk: &[u8]) -> bool {
        let mut at = 0;
        while !self.is_done && at < chunk.len() {
            at += match self.state {
                State::Start { start, matched } => self.read_start(&chunk[at..], start, matched),
                State::Line => self.read_line(&chunk[at..], self.passed + at),
                State::Delimiter => self.read_delimiter(&chunk[at..], self.passed + at),
                State::Head => self.read_head(&chunk[at..], self.passed + at),
            };
        }
        self.passed += chunk.len();
        self.is_done
    }

    /// Ends the search at the end of the form.
    pub(super) fn finish(&mut self) {
        // Some parsers take a part without a delimiter behind it.
        if self.value_at.is_some() && !self.is_done {
            self.end_ambiguous();
        }
    }

    /// Ends the search before the end of the form. Where the model decides, nothing was found then.
    pub(super) fn give_up(&mut self) {
        if self.is_decisive {
            self.found = None;
            self.first_at = None;
        }
    }

    pub(super) fn model(&self) -> Option<&str> {
        self.found.as_ref()?.text.as_deref()
    }

    /// Returns true when the form has more than one model, or parsers differ in how they read it.
    pub(super) fn is_ambiguous(&self) -> bool {
        self.is_ambiguous
    }

    /// Returns the model with its place, and the place where a part can be inserted.
    pub(super) fn into_extracted(self) -> (Option<FieldValue>, Option<(usize, Boundary)>) {
        let first = self.first_at.map(|at| (at, self.boundary));
        (self.found, first)
    }

    /// Compares the beginning of a line with the delimiter.
    fn read_start(&mut self, chunk: &[u8], start: usize, matched: usize) -> usize {
        let delimiter = self.boundary.delimiter();
        let rest = &delimiter[matched..];
        let same = chunk.iter().zip(rest).take_while(|(a, b)| a == b).count();
        if same == rest.len() {
            self.end_content(start);
            self.state = State::Delimiter;
        } else if same == chunk.len() {
            self.keep_value(&chunk[..same]);
            self.state = State::Start {
                start,
                matched: matched + same,
            };
        } else {
            self.keep_value(&chunk[..same]);
            self.state = State::Line;
        }
        same
    }

    fn read_line(&mut self, chunk: &[u8], at: usize) -> usize {
        let length = memchr(b'\n', chunk).map(|end| end + 1);
        if let Some(length) = length {
            self.state = State::Start {
                start: at + length,
                matched: 0,
            };
        }
        let length = length.unwrap_or(chunk.len());
        self.keep_value(&chunk[..length]);
        length
    }

    fn keep_value(&mut self, data: &[u8]) {
        if self.value_at.is_some() {
            let room = (LONGEST + 1).saturating_sub(self.kept.len());
            self.kept.extend_from_slice(&data[..data.len().min(room)]);
        }
    }

    /// Ends the part before the delimiter that begins at `end`.
    fn end_content(&mut self, end: usize) {
        // Another delimiter behind the last one: some parsers may go on with it.
        if self.is_closed {
            self.end_ambiguous();
        }
        self.first_at.get_or_insert(end);
        if let Some(start) = self.value_at.take() {
            let is_whole = self.kept.len() <= LONGEST;
            let kept = self.kept.get(..end - start).filter(|_| is_whole);
            let value = kept.map(without_line_break);
            // The line break belongs to the delimiter (RFC 2046 section 5.1.1).
            let end = value.map_or(end, |value| start + value.len());
            let model = value.and_then(|value| str::from_utf8(value).ok());
            let text = model.map(str::to_owned);
            self.is_done |= !self.is_decisive;
            if text.is_none() {
                self.end_ambiguous();
            }
            self.found = Some(FieldValue {
                field: 0,
                text,
                place: start..end,
            });
        }
        self.kept.clear();
    }

    /// Reads on to the end of a delimiter's line.
    fn read_delimiter(&mut self, chunk: &[u8], at: usize) -> usize {
        let end = memchr(b'\n', chunk);
        let length = end.map_or(chunk.len(), |end| end + 1);
        self.kept
            .extend_from_slice(&chunk[..length.min(LONGEST + 1)]);
        self.is_closed |= self.kept.starts_with(b"--");
        if self.kept.len() > LONGEST {
            self.end_ambiguous();
        } else if end.is_some() {
            let rest = self.kept.strip_prefix(b"--").unwrap_or(&self.kept);
            // Only spaces may follow. To some parsers such a line is a delimiter all the same.
            if !rest.trim_ascii().is_empty() {
                self.end_ambiguous();
            }
            self.kept.clear();
            self.state = match self.is_closed {
                true => State::Start {
                    start: at + length,
                    matched: 0,
                },
                false => State::Head,
            };
        }
        length
    }

    /// Reads on to the end of a line in the head of a part.
    fn read_head(&mut self, chunk: &[u8], at: usize) -> usize {
        let end = memchr(b'\n', chunk);
        let length = end.map_or(chunk.len(), |end| end + 1);
        let line_at = memchr::memrchr(b'\n', &self.kept).map_or(0, |before| before + 1);
        self.kept
            .extend_from_slice(&chunk[..length.min(LONGEST + 1)]);
        let line = &self.kept[line_at..];
        // A part that ends within its head is none to some parsers.
        if self.kept.len() > LONGEST || line.starts_with(self.boundary.delimiter()) {
            self.end_ambiguous();
        } else if end.is_some() && without_line_break(line).is_empty() {
            self.end_head(at + length);
        }
        length
    }

    /// Ends the head of a part whose content begins at `start`.
    fn end_head(&mut self, start: usize) {
        match disposition::name(&self.kept) {
            Name::Model if self.found.is_none() => self.value_at = Some(start),
            Name::Model | Name::Unclear => self.end_ambiguous(),
            Name::Other => {}
        }
        self.kept.clear();
        self.state = State::Start { start, matched: 0 };
    }

    fn end_ambiguous(&mut self) {
        self.is_ambiguous = self.is_decisive;
        self.is_done = true;
    }
}

fn without_line_break(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Bytes of a model, or of the head of a part. Heads have a few hundred bytes.
const LONGEST: usize = 8 << 10;

#[cfg(test)]
mod tests;
