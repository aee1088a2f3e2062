/// The HTTP version of the connections to a backend.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Protocol {
    /// Over TLS the version that ALPN (RFC 7301) selects, in clear text HTTP/1.1.
    #[default]
    Auto,
    /// HTTP/1.1.
    Http1,
    /// HTTP/2. In clear text with prior knowledge, without an upgrade (RFC 9113 section 3.3).
    Http2,
}

impl Protocol {
    /// The names, for an error message.
    pub const EXPECTED: &str = "\"auto\", \"http1\" or \"http2\"";

    /// Reads a version by its name in the configuration, in any case.
    ///
    /// # Errors
    ///
    /// Returns the text that was expected.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let mut all = [Self::Auto, Self::Http1, Self::Http2].into_iter();
        all.find(|protocol| protocol.as_str().eq_ignore_ascii_case(text))
            .ok_or(Self::EXPECTED)
    }

    /// Returns the name in a configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Http1 => "http1",
            Self::Http2 => "http2",
        }
    }
}
