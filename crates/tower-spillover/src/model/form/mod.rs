//! Extracts the model from forms (multipart/form-data, RFC 7578) while they stream in.
//!
//! Parsers of forms differ in what they accept. This scan accepts all that any of them accepts, and reports a form that they
//! read differently as ambiguous. Libraries such as `multer` parse forms, but do not report the position of a part.

mod boundary;
mod disposition;

use memchr::memchr;

pub(super) use self::boundary::Boundary;
use self::disposition::Name;
use super::extracted::FieldValue;

/// Extracts the part `model` of a form, chunk by chunk.
#[derive(Debug)]
pub(super) struct FormScan {
    boundary: Boundary,
    is_decisive: bool,
    state: State,
    /// The head of a part, the model, or the rest of a delimiter line, as far as it was read. Its length is bounded.
    buffer: Vec<u8>,
    /// The beginning of the model while the model is read.
    value_at: Option<usize>,
    /// The number of bytes in the chunks before.
    passed: usize,
    /// The beginning of the first delimiter, at which a part can be inserted.
    insert_at: Option<usize>,
    /// The content of the first part `model`. The text is `None` if the content is too long or not UTF-8.
    model: Option<FieldValue>,
    is_closed: bool,
    is_ambiguous: bool,
    is_done: bool,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// In a line that began at `start` and consists of the first `matched` bytes of a delimiter so far.
    Start {
        start: usize,
        matched: usize,
    },
    /// In a line of content that is not a delimiter.
    Line,
    /// After a delimiter, in the same line.
    Delimiter,
    Head,
}

impl FormScan {
    /// Creates a scan for the model. If the model is decisive, the scan continues to the end of the form, to detect a
    /// second model.
    pub(super) fn new(boundary: Boundary, is_decisive: bool) -> Self {
        Self {
            boundary,
            is_decisive,
            state: State::Start {
                start: 0,
                matched: 0,
            },
            buffer: Vec::new(),
            value_at: None,
            passed: 0,
            insert_at: None,
            model: None,
            is_closed: false,
            is_ambiguous: false,
            is_done: false,
        }
    }

    /// Scans a chunk. Returns true when the scan is complete.
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

    /// Ends the scan at the end of the form.
    pub(super) fn finish(&mut self) {
        // Some parsers accept a part without a delimiter at its end.
        if self.value_at.is_some() && !self.is_done {
            self.end_ambiguous();
        }
    }

    /// Ends the scan before the end of the form. If the model is decisive, the model so far is discarded, since the rest of
    /// the form may have a second one.
    pub(super) fn give_up(&mut self) {
        if self.is_decisive {
            self.model = None;
            self.insert_at = None;
        }
    }

    pub(super) fn model(&self) -> Option<&str> {
        self.model.as_ref()?.text.as_deref()
    }

    /// Returns true if the model is decisive, and the form has more than one or is read differently by some parsers.
    pub(super) fn is_ambiguous(&self) -> bool {
        self.is_ambiguous
    }

    /// Returns the model, and the position at which a part can be inserted.
    pub(super) fn into_extracted(self) -> (Option<FieldValue>, Option<(usize, Boundary)>) {
        let first = self.insert_at.map(|at| (at, self.boundary));
        (self.model, first)
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
            self.buffer_value(&chunk[..same]);
            self.state = State::Start {
                start,
                matched: matched + same,
            };
        } else {
            self.buffer_value(&chunk[..same]);
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
        self.buffer_value(&chunk[..length]);
        length
    }

    fn buffer_value(&mut self, data: &[u8]) {
        if self.value_at.is_some() {
            let room = (LONGEST + 1).saturating_sub(self.buffer.len());
            self.buffer.extend_from_slice(&data[..data.len().min(room)]);
        }
    }

    /// Ends the part before the delimiter that begins at `end`.
    fn end_content(&mut self, end: usize) {
        // There is another delimiter after the last one. Some parsers read the part that follows.
        if self.is_closed {
            self.end_ambiguous();
        }
        self.insert_at.get_or_insert(end);
        if let Some(start) = self.value_at.take() {
            let is_whole = self.buffer.len() <= LONGEST;
            let content = self.buffer.get(..end - start).filter(|_| is_whole);
            let value = content.map(without_line_break);
            // The line break belongs to the delimiter (RFC 2046 section 5.1.1).
            let end = value.map_or(end, |value| start + value.len());
            let model = value.and_then(|value| str::from_utf8(value).ok());
            let text = model.map(str::to_owned);
            self.is_done |= !self.is_decisive;
            if text.is_none() {
                self.end_ambiguous();
            }
            self.model = Some(FieldValue {
                field: 0,
                text,
                range: start..end,
            });
        }
        self.buffer.clear();
    }

    /// Reads on to the end of the line of a delimiter.
    fn read_delimiter(&mut self, chunk: &[u8], at: usize) -> usize {
        let end = memchr(b'\n', chunk);
        let length = end.map_or(chunk.len(), |end| end + 1);
        self.buffer
            .extend_from_slice(&chunk[..length.min(LONGEST + 1)]);
        self.is_closed |= self.buffer.starts_with(b"--");
        if self.buffer.len() > LONGEST {
            self.end_ambiguous();
        } else if end.is_some() {
            let rest = self.buffer.strip_prefix(b"--").unwrap_or(&self.buffer);
            // Only spaces may follow a delimiter. Some parsers accept other text as well.
            if !rest.trim_ascii().is_empty() {
                self.end_ambiguous();
            }
            self.buffer.clear();
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
        let line_at = memchr::memrchr(b'\n', &self.buffer).map_or(0, |before| before + 1);
        self.buffer
            .extend_from_slice(&chunk[..length.min(LONGEST + 1)]);
        let line = &self.buffer[line_at..];
        // A part may end within its head. Some parsers ignore such a part.
        if self.buffer.len() > LONGEST || line.starts_with(self.boundary.delimiter()) {
            self.end_ambiguous();
        } else if end.is_some() && without_line_break(line).is_empty() {
            self.end_head(at + length);
        }
        length
    }

    /// Ends the head of a part whose content begins at `start`.
    fn end_head(&mut self, start: usize) {
        match disposition::part_name(&self.buffer) {
            Name::Model if self.model.is_none() => self.value_at = Some(start),
            Name::Model | Name::Unclear => self.end_ambiguous(),
            Name::Other => {}
        }
        self.buffer.clear();
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

/// The largest number of bytes in a model or in the head of a part. Heads have a few hundred bytes.
const LONGEST: usize = 8 << 10;

#[cfg(test)]
mod tests;
