use std::net::{Ipv4Addr, SocketAddr};

/// The behavior of a port.
#[derive(Clone, Copy)]
pub(super) enum Mode {
    /// Answers with a completion of 1 KiB.
    Fine,
    /// Answers 429 with a wait of a minute.
    Throttled,
    /// Answers 413, which does not count as a failure: the backend stays open for the next request.
    TooLarge,
    /// Answers 503.
    Unavailable,
    /// Streams a completion.
    Stream,
}

/// The protocol of a port.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Transport {
    /// HTTP/1.1 in clear text.
    Clear,
    /// HTTP/1.1 over TLS.
    Tls,
    /// HTTP/2 over TLS, and HTTP/1.1 for clients without HTTP/2.
    TlsHttp2,
}

impl Transport {
    pub(crate) fn of_port(port: u16) -> Self {
        match port {
            TLS => Self::Tls,
            TLS_HTTP2 => Self::TlsHttp2,
            _ => Self::Clear,
        }
    }

    pub(crate) fn scheme(self) -> &'static str {
        match self {
            Self::Clear => "http",
            Self::Tls | Self::TlsHttp2 => "https",
        }
    }
}

/// The first of [`FINE_PORTS`] ports that always succeed.
pub(crate) const FINE: u16 = 21_000;
pub(crate) const THROTTLED: u16 = 21_100;
pub(crate) const TOO_LARGE: u16 = 21_101;
pub(crate) const UNAVAILABLE: u16 = 21_102;
pub(crate) const STREAM: u16 = 21_103;
/// The port that succeeds, except for some seconds after a control request.
pub(crate) const BRIEFLY_THROTTLED: u16 = 21_104;
pub(crate) const TLS: u16 = 21_105;
pub(crate) const TLS_HTTP2: u16 = 21_106;

pub(super) fn all() -> impl Iterator<Item = (u16, Mode)> {
    let fine = (FINE..FINE + FINE_PORTS).map(|port| (port, Mode::Fine));
    fine.chain([
        (THROTTLED, Mode::Throttled),
        (TOO_LARGE, Mode::TooLarge),
        (UNAVAILABLE, Mode::Unavailable),
        (STREAM, Mode::Stream),
        (BRIEFLY_THROTTLED, Mode::Fine),
        (TLS, Mode::Fine),
        (TLS_HTTP2, Mode::Fine),
    ])
}

pub(crate) fn address(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

const FINE_PORTS: u16 = 64;
