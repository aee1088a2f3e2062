use std::net::SocketAddr;

use super::key_ring::KeyRing;

/// Warns when others than this machine reach the gateway, at one of the addresses that it listens on, and it has no keys.
///
/// The addresses are those that were bound, so that they are known of host names, too. That of a listener which turns clients
/// without a certificate away is not one to name here.
pub(crate) fn warn_if_open(addresses: &[SocketAddr], keys: &KeyRing) {
    let open = open_to_others(addresses, keys);
    if open.is_empty() {
        return;
    }
    tracing::warn!(
        addresses = ?open,
        "no client keys: whoever reaches these addresses uses the credentials of the backends; set [[clients.keys]], or \
         listen on 127.0.0.1"
    );
}

fn open_to_others(addresses: &[SocketAddr], keys: &KeyRing) -> Vec<SocketAddr> {
    if !keys.is_empty() {
        return Vec::new();
    }
    // An unspecified address stands for those of every interface.
    let is_open = |address: &&SocketAddr| !address.ip().to_canonical().is_loopback();
    addresses.iter().filter(is_open).copied().collect()
}

#[cfg(test)]
mod tests {
    use crate::clients::tests::{Written, clients, key};

    use super::*;

    #[test]
    fn only_addresses_of_this_machine_are_safe_without_keys() {
        let open = |address: &str| {
            let keys = KeyRing::new(&crate::clients::Clients::default());
            !open_to_others(&[address.parse().unwrap()], &keys).is_empty()
        };
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
    fn of_several_addresses_the_open_ones_are_named() {
        let [here, there] = ["127.0.0.1:80", "10.0.0.1:80"].map(|text| text.parse().unwrap());
        let keys = KeyRing::new(&crate::clients::Clients::default());
        assert_eq!(open_to_others(&[here, there], &keys), [there]);
        let keys = KeyRing::new(&clients([key("a", "k")]));
        assert!(open_to_others(&[here, there], &keys).is_empty());
    }

    #[test]
    fn the_warning_comes_once_and_says_what_to_set() {
        let addresses = ["0.0.0.0:80", "[::]:80"].map(|text| text.parse().unwrap());
        let written = Written::default();
        let logging = written.log();
        warn_if_open(
            &addresses,
            &KeyRing::new(&crate::clients::Clients::default()),
        );
        warn_if_open(&addresses, &KeyRing::new(&clients([key("a", "k")])));
        warn_if_open(&[], &KeyRing::new(&crate::clients::Clients::default()));
        drop(logging);

        let text = written.text();
        assert_eq!(text.lines().count(), 1, "{text}");
        for part in ["WARN", "clients.keys", "addresses=[0.0.0.0:80, [::]:80]"] {
            assert!(text.contains(part), "{text}");
        }
    }
}
