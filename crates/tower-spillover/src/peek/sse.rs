//! Server-sent events, as far as they matter here: the name and the data of each.
//!
//! <https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation>

use std::ops::ControlFlow;

use memchr::memchr2;

/// An event that was dispatched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Event<'a> {
    /// Empty if it has none. The specification calls that `message`.
    pub(super) name: &'a [u8],
    /// As it came: what is not UTF-8 is not replaced.
    pub(super) data: &'a [u8],
}

/// Reads a stream in the chunks in which it comes. The data of an event that is on one line within one chunk is not copied.
#[derive(Debug, Default)]
pub(super) struct Parser {
    /// How much of a byte order mark came so far; all of it, or none, once the stream has begun.
    mark: usize,
    /// The chunk before ended with a CR: a LF that comes now ends the same line.
    is_after_cr: bool,
    /// The beginning of the last line.
    line: Vec<u8>,
    name: Vec<u8>,
    /// The lines of data, each but the first after a LF.
    data: Vec<u8>,
    has_data: bool,
}

/// A line of data in the chunk that is being read.
#[derive(Default)]
struct Fresh<'c> {
    data: Option<&'c [u8]>,
}

impl Parser {
    /// Reads the next chunk, up to the first event of which `look` makes something: what follows it in the chunk is lost.
    pub(super) fn feed<T>(
        &mut self,
        chunk: &[u8],
        mut look: impl FnMut(Event<'_>) -> ControlFlow<T>,
    ) -> ControlFlow<T> {
        let mut rest = self.skip_mark(chunk);
        let mut fresh = Fresh::default();
        if self.is_after_cr && !rest.is_empty() {
            self.is_after_cr = false;
            rest = rest.strip_prefix(b"\n").unwrap_or(rest);
        }
        while let Some(at) = memchr2(b'\n', b'\r', rest) {
            let (line, end) = rest.split_at(at);
            rest = match end {
                [b'\r', b'\n', rest @ ..] | [_, rest @ ..] => rest,
                [] => end,
            };
            self.is_after_cr = end == b"\r";
            if self.line.is_empty() {
                self.end_line(line, &mut fresh, &mut look)?;
            } else {
                let mut whole = std::mem::take(&mut self.line);
                push(&mut whole, line);
                // The line goes before the next chunk does, so its data is kept.
                let mut kept = Fresh::default();
                self.keep(&mut fresh);
                let flow = self.end_line(&whole, &mut kept, &mut look);
                self.keep(&mut kept);
                whole.clear();
                self.line = whole;
                flow?;
            }
        }
        push(&mut self.line, rest);
        self.keep(&mut fresh);
        ControlFlow::Continue(())
    }

    /// The stream is over. An event that was not ended counts: the specification drops it, but who breaks off in the middle
    /// of an error has failed all the same.
    pub(super) fn finish<T>(
        &mut self,
        mut look: impl FnMut(Event<'_>) -> ControlFlow<T>,
    ) -> ControlFlow<T> {
        let line = std::mem::take(&mut self.line);
        let mut fresh = Fresh::default();
        if !line.is_empty() {
            self.end_line(&line, &mut fresh, &mut look)?;
        }
        self.end_line(b"", &mut fresh, &mut look)
    }

    fn end_line<'c, T>(
        &mut self,
        line: &'c [u8],
        fresh: &mut Fresh<'c>,
        look: &mut impl FnMut(Event<'_>) -> ControlFlow<T>,
    ) -> ControlFlow<T> {
        if line.is_empty() {
            return self.dispatch(fresh, look);
        }
        let (field, value) = match memchr::memchr(b':', line) {
            Some(at) => (&line[..at], &line[at + 1..]),
            None => (line, &b""[..]),
        };
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match field {
            b"event" => {
                self.name.clear();
                self.name.extend(value.iter().take(MAX_NAME));
            }
            b"data" if !self.has_data && fresh.data.is_none() => fresh.data = Some(value),
            b"data" => {
                self.keep(fresh);
                push(&mut self.data, b"\n");
                push(&mut self.data, value);
            }
            // Comments, which have no name; `id` and `retry`, which are for clients that connect again; and what nobody knows.
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn dispatch<T>(
        &mut self,
        fresh: &mut Fresh<'_>,
        look: &mut impl FnMut(Event<'_>) -> ControlFlow<T>,
    ) -> ControlFlow<T> {
        let fresh = fresh.data.take();
        let flow = match fresh {
            None if !self.has_data => ControlFlow::Continue(()),
            fresh => look(Event {
                name: &self.name,
                data: fresh.unwrap_or(&self.data),
            }),
        };
        self.name.clear();
        self.data.clear();
        self.has_data = false;
        flow
    }

    /// Copies what would go with the chunk.
    fn keep(&mut self, fresh: &mut Fresh<'_>) {
        if let Some(data) = fresh.data.take() {
            push(&mut self.data, data);
            self.has_data = true;
        }
    }

    /// Without the byte order mark that a stream may begin with.
    fn skip_mark<'c>(&mut self, chunk: &'c [u8]) -> &'c [u8] {
        let mut rest = chunk;
        while let (Some(expected), Some(byte)) = (MARK.get(self.mark), rest.first()) {
            if byte != expected {
                // It was none.
                self.line.extend(&MARK[..self.mark]);
                self.mark = MARK.len();
                return rest;
            }
            self.mark += 1;
            rest = &rest[1..];
        }
        rest
    }
}

/// Adds to what is kept of an event. Of one that is longer than any error the rest is of no interest.
fn push(kept: &mut Vec<u8>, bytes: &[u8]) {
    let room = MAX_KEPT.saturating_sub(kept.len());
    kept.extend(&bytes[..bytes.len().min(room)]);
}

const MARK: [u8; 3] = *b"\xef\xbb\xbf";

/// As much as is read of an error.
const MAX_KEPT: usize = 64 * 1024;

/// Twice the longest name that a vendor is known to use.
const MAX_NAME: usize = 128;
