use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

/// Address of a listener: a host and a port, such as `127.0.0.1:8080`, `[::]:8080` or `localhost:8080`.
///
/// Port 0 stands for any free port. A host name is resolved when the listener is bound:
/// `TcpListener::bind(listen.as_str())`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenAddr(String);

impl ListenAddr {
    /// Returns the address as `host:port`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns true if the port is 0, which stands for any free port.
    #[must_use]
    pub fn is_any_port(&self) -> bool {
        self.0.ends_with(":0")
    }

    /// Reads a host and a port.
    ///
    /// # Errors
    ///
    /// Returns the text that was expected.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if let Ok(addr) = text.parse::<SocketAddr>() {
            return Ok(Self(addr.to_string()));
        }
        if text.parse::<IpAddr>().is_ok_and(|ip| ip.is_ipv6()) {
            return Err("brackets around an IPv6 address and a port after it, such as [::1]:8080");
        }
        let Some((host, port)) = text.rsplit_once(':') else {
            return Err(if text.bytes().all(|b| b.is_ascii_digit()) {
                "a host before the port, such as 127.0.0.1:8080; a port alone goes in PORT or --port"
            } else {
                "a port after the host, such as 127.0.0.1:8080"
            });
        };
        if host.is_empty() {
            return Err(
                "a host before the port; 0.0.0.0:8080 listens on every interface, [::]:8080 with IPv6",
            );
        }
        if !is_host_name(host) {
            return Err(EXPECTED);
        }
        let port = parse_port(port).ok_or(EXPECTED)?;
        Ok(Self(format!("{host}:{port}")))
    }

    /// Reads a port, to listen on every IPv4 interface.
    ///
    /// # Errors
    ///
    /// Returns the text that was expected.
    pub fn on_every_interface(port: &str) -> Result<Self, &'static str> {
        let port = parse_port(port).ok_or("a port number, 0 to 65535")?;
        Ok(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)).into())
    }
}

impl Default for ListenAddr {
    /// Returns `127.0.0.1:8080`, which is reachable from this machine only.
    fn default() -> Self {
        SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)).into()
    }
}

impl From<SocketAddr> for ListenAddr {
    fn from(addr: SocketAddr) -> Self {
        Self(addr.to_string())
    }
}

impl fmt::Display for ListenAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn parse_port(text: &str) -> Option<u16> {
    text.parse().ok()
}

/// Returns true for labels of letters, digits, `-` and `_` whose last one is no number. For example, `10.0.0` is a mistyped
/// IPv4 address.
fn is_host_name(host: &str) -> bool {
    let is_label = |label: &str| {
        !label.is_empty()
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    let mut labels = host.rsplit('.');
    labels.clone().all(is_label)
        && labels
            .next()
            .is_some_and(|last| !last.bytes().all(|b| b.is_ascii_digit()))
}

const EXPECTED: &str = "a host and a port, such as 127.0.0.1:8080, [::]:8080 or localhost:8080, without scheme or path";
