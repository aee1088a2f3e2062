use std::{fmt, fmt::Write, sync::Arc};

use rustls::pki_types::CertificateDer;
use sha2::{Digest, Sha256};

/// SHA-256 of a client's certificate, as 64 hexadecimal digits in upper case.
///
/// `openssl x509 -fingerprint -sha256` prints the same digits with colons.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientFingerprint(Arc<str>);

impl ClientFingerprint {
    pub(super) fn of(certificate: &CertificateDer<'_>) -> Self {
        let digest = Sha256::digest(certificate);
        let digits = digest.iter().fold(String::new(), |mut digits, byte| {
            // Cannot fail: the target is a string.
            let _ = write!(digits, "{byte:02X}");
            digits
        });
        Self(digits.into())
    }

    /// Returns the digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ClientFingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
