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

/// The first of [`FINE_PORTS`] ports that answer well.
pub(crate) const FINE: u16 = 21_000;
pub(crate) const THROTTLED: u16 = 21_100;
pub(crate) const TOO_LARGE: u16 = 21_101;
pub(crate) const UNAVAILABLE: u16 = 21_102;
pub(crate) const STREAM: u16 = 21_103;
/// Answers well, but for the seconds after it is told to throttle.
pub(crate) const BRIEFLY_THROTTLED: u16 = 21_104;

pub(super) fn all() -> impl Iterator<Item = (u16, Mode)> {
    let fine = (FINE..FINE + FINE_PORTS).map(|port| (port, Mode::Fine));
    fine.chain([
        (THROTTLED, Mode::Throttled),
        (TOO_LARGE, Mode::TooLarge),
        (UNAVAILABLE, Mode::Unavailable),
        (STREAM, Mode::Stream),
        (BRIEFLY_THROTTLED, Mode::Fine),
    ])
}

pub(crate) fn address(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

const FINE_PORTS: u16 = 64;
