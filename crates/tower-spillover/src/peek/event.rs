use std::{ops::ControlFlow, sync::LazyLock};

use memchr::{memchr2, memmem};
use serde_json::json as object;
use spillover_hint::Report;

use super::{
    event_stream::{self, Message},
    form::Form,
    json, sse,
};
use crate::coding::{Coding, DecodeError, Decoder};

/// A part of a stream that means something by itself.
#[derive(Clone, Copy, Debug)]
pub(super) enum Event<'a> {
    Sse(sse::Event<'a>),
    Message(Message<'a>),
    /// A JSON object whose first key is `error`.
    Json(&'a [u8]),
    /// Nothing that can be looked into: a message of gRPC, or what could not be read.
    Opaque,
}

/// Finds the events of a stream, in the chunks in which it comes.
#[derive(Debug)]
pub(super) struct Reader {
    /// `None` for a stream in no coding.
    decoder: Option<Decoder>,
    parser: Parser,
}

#[derive(Debug)]
enum Parser {
    Sse(sse::Parser),
    EventStream(event_stream::Parser),
    Grpc,
    Json(json::Parser),
}

impl Reader {
    pub(super) fn new(form: Form, coding: Option<Coding>) -> Self {
        Self {
            decoder: coding.map(Decoder::new),
            parser: match form {
                Form::Sse => Parser::Sse(sse::Parser::default()),
                Form::EventStream => Parser::EventStream(event_stream::Parser::default()),
                Form::Grpc => Parser::Grpc,
                Form::Json => Parser::Json(json::Parser::default()),
            },
        }
    }

    pub(super) fn is_grpc(&self) -> bool {
        matches!(self.parser, Parser::Grpc)
    }

    /// Reads the next chunk, up to the first event of which `look` makes something: that is returned. An error means that
    /// the rest of the stream cannot be read.
    pub(super) fn read<T>(
        &mut self,
        chunk: &[u8],
        mut look: impl FnMut(Event<'_>) -> Option<T>,
    ) -> Result<Option<T>, DecodeError> {
        let mut look =
            |event: Event<'_>| look(event).map_or(ControlFlow::Continue(()), ControlFlow::Break);
        let parser = &mut self.parser;
        let flow = match &mut self.decoder {
            None => parser.feed(chunk, &mut look),
            Some(decoder) => decoder.decode(chunk, |piece| parser.feed(piece, &mut look))?,
        };
        Ok(flow.break_value())
    }

    /// Returns true if a chunk has nothing but whole server-sent events that are no errors, judged without parsing them.
    ///
    /// Most chunks of a stream that is passed on are so: a search for two words costs half of what parsing costs.
    pub(super) fn is_whole_events_without_error(&self, chunk: &[u8]) -> bool {
        let Parser::Sse(parser) = &self.parser else {
            return false;
        };
        self.decoder.is_none()
            && parser.is_between_events()
            && chunk.ends_with(b"\n\n")
            && ERROR_WORD.find(chunk).is_none()
            && (is_one_line_of_data(chunk) || EXCEPTION_WORD.find(chunk).is_none())
    }

    /// Ends the stream. An event without its end is the last one.
    pub(super) fn finish<T>(&mut self, mut look: impl FnMut(Event<'_>) -> Option<T>) -> Option<T> {
        let Parser::Sse(parser) = &mut self.parser else {
            return None;
        };
        let flow = parser.finish(|event| {
            look(Event::Sse(event)).map_or(ControlFlow::Continue(()), ControlFlow::Break)
        });
        flow.break_value()
    }
}

impl Parser {
    fn feed<T>(
        &mut self,
        chunk: &[u8],
        look: &mut impl FnMut(Event<'_>) -> ControlFlow<T>,
    ) -> ControlFlow<T> {
        match self {
            Self::Sse(parser) => parser.feed(chunk, |event| look(Event::Sse(event))),
            Self::EventStream(parser) => parser.feed(chunk, |message| {
                look(message.map_or(Event::Opaque, Event::Message))
            }),
            Self::Grpc if chunk.is_empty() => ControlFlow::Continue(()),
            Self::Grpc => look(Event::Opaque),
            Self::Json(parser) => parser.feed(chunk, |error| {
                look(error.map_or(Event::Opaque, Event::Json))
            }),
        }
    }
}

impl Event<'_> {
    /// Returns the report of the event, if it is an error.
    pub(super) fn report(&self) -> Option<Report> {
        match self {
            Self::Sse(event) => {
                let name = std::str::from_utf8(event.name).unwrap_or_default();
                may_be_error(name, event.data)
                    .then(|| Report::from_event(name, event.data))
                    .flatten()
            }
            Self::Message(message) => match message.kind {
                b"exception" => {
                    let name = std::str::from_utf8(message.name).unwrap_or_default();
                    Report::from_event(name, message.payload)
                        .or_else(|| Report::from_event(ERROR, message.payload))
                }
                b"error" => {
                    let [code, message] =
                        [message.name, message.error_message].map(String::from_utf8_lossy);
                    let error = object!({ "code": code, "message": message });
                    Report::from_event(ERROR, error.to_string().as_bytes())
                }
                _ => None,
            },
            Self::Json(error) => Report::from_event("", error),
            Self::Opaque => None,
        }
    }
}

/// Returns true if a chunk is one event without a name. Only names say that an event is an exception.
fn is_one_line_of_data(chunk: &[u8]) -> bool {
    chunk.starts_with(b"data:") && memchr2(b'\n', b'\r', chunk) == chunk.len().checked_sub(2)
}

/// Returns true if an event may be an error, so that it has to be parsed. Content is not: quotation marks in a text have
/// backslashes before them.
fn may_be_error(name: &str, data: &[u8]) -> bool {
    name == ERROR || name.ends_with(EXCEPTION) || ERROR_KEY.find(data).is_some()
}

const ERROR: &str = "error";

/// The end of the names of AWS's exceptions, which begin with a small or a capital letter.
const EXCEPTION: &str = "xception";

static ERROR_WORD: LazyLock<memmem::Finder<'_>> = LazyLock::new(|| memmem::Finder::new(ERROR));

static EXCEPTION_WORD: LazyLock<memmem::Finder<'_>> =
    LazyLock::new(|| memmem::Finder::new(EXCEPTION));

static ERROR_KEY: LazyLock<memmem::Finder<'_>> =
    LazyLock::new(|| memmem::Finder::new(b"\"error\""));
