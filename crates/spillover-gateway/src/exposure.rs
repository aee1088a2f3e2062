use std::net::SocketAddr;

use spillover_proxy::client_keys::KeyRing;

/// Logs a warning if other machines can reach one of `addresses` and the gateway has no client keys.
///
/// Takes bound addresses, so that host names are normalized. Listeners that require client certificates are left out by the
/// caller.
pub(crate) fn warn_if_exposed(addresses: &[SocketAddr], keys: &KeyRing) {
    let open = exposed(addresses, keys);
    if open.is_empty() {
        return;
    }
    tracing::warn!(
        addresses = ?open,
        "no client keys: whoever reaches these addresses uses the credentials of the backends; set [[clients.keys]], or \
         listen on 127.0.0.1"
    );
}

fn exposed(addresses: &[SocketAddr], keys: &KeyRing) -> Vec<SocketAddr> {
    if !keys.is_empty() {
        return Vec::new();
    }
    // An unspecified address listens on every interface.
    let is_open = |address: &&SocketAddr| !address.ip().to_canonical().is_loopback();
    addresses.iter().filter(is_open).copied().collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use spillover_proxy::client_keys::ClientKey;
    use spillover_testing::CapturedLog;
    use tracing::Level;

    use super::*;

    fn ring(keys: &[&str]) -> Arc<KeyRing> {
        let keys = keys.iter().map(|name| ClientKey {
            name: (*name).into(),
            sha256: [0; 32],
            pools: Vec::new(),
            requests_per_minute: None,
        });
        KeyRing::new(&keys.collect::<Vec<_>>())
    }

    #[test]
    fn only_loopback_addresses_are_safe_without_keys() {
        let open = |address: &str| !exposed(&[address.parse().unwrap()], &ring(&[])).is_empty();
        for address in [
            "127.0.0.1:80",
            "127.8.9.1:80",
            "[::1]:80",
            "[::ffff:127.0.0.1]:80",
        ] {
            assert!(!open(address), "{address}");
        }
        for address in [
            "0.0.0.0:80",
            "[::]:80",
            "10.0.0.1:80",
            "[::ffff:10.0.0.1]:80",
        ] {
            assert!(open(address), "{address}");
        }
    }

    #[test]
    fn open_addresses_are_named() {
        let [here, there] = ["127.0.0.1:80", "10.0.0.1:80"].map(|text| text.parse().unwrap());
        assert_eq!(exposed(&[here, there], &ring(&[])), [there]);
        assert!(exposed(&[here, there], &ring(&["a"])).is_empty());
    }

    #[test]
    fn warning_is_logged_once_and_names_the_setting() {
        let addresses = ["0.0.0.0:80", "[::]:80"].map(|text| text.parse().unwrap());
        let (log, guard) = CapturedLog::start(Level::WARN);
        warn_if_exposed(&addresses, &ring(&[]));
        warn_if_exposed(&addresses, &ring(&["a"]));
        warn_if_exposed(&[], &ring(&[]));
        drop(guard);
        let text = log.text();
        assert_eq!(text.lines().count(), 1, "{text}");
        for part in ["WARN", "clients.keys", "addresses=[0.0.0.0:80, [::]:80]"] {
            assert!(text.contains(part), "{text}");
        }
    }
}
