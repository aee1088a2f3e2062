use std::net::{Ipv4Addr, SocketAddr};

/// How a port behaves.
#[derive(Clone, Copy)]
pub(super) enum Mode {
    /// A completion of 1 KiB.
    Fine,
    /// 429, come back in a minute.
    Throttled,
    /// 413, which is no fault of the backend: it is asked again next time.
    TooLarge,
    /// 503.
    Unavailable,
    /// A completion in pieces.
    Stream,
}

/// What a port speaks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Transport {
    /// HTTP/1.1 in clear text.
    Clear,
    /// HTTP/1.1 over TLS.
    Tls,
    /// HTTP/2 over TLS, and HTTP/1.1 for those who do not know it.
    TlsHttp2,
}

impl Transport {
    pub(crate) fn of(port: u16) -> Self {
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

/// The first of [`FINE_PORTS`] ports that answer well.
pub(crate) const FINE: u16 = 21_000;
pub(crate) const THROTTLED: u16 = 21_100;
pub(crate) const TOO_LARGE: u16 = 21_101;
pub(crate) const UNAVAILABLE: u16 = 21_102;
pub(crate) const STREAM: u16 = 21_103;
/// Answers well, but for the seconds after it is told to throttle.
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
