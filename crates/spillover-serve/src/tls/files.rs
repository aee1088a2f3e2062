//! Contents of the TLS files.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use rustls::{
    CertificateError, Error, RootCertStore,
    client::verify_server_cert_signed_by_trust_anchor,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, UnixTime, pem::PemObject},
    server::ParsedCertificate,
};

use super::TlsError;
use crate::Tls;

/// Reads the certificate chain of a server.
pub(super) fn chain(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let chain = certificates(file, &read(file)?)?;
    let leaf = ParsedCertificate::try_from(&chain[0])
        .map_err(|_| TlsError::new(file, "a certificate first that is valid X.509"))?;
    // An expired certificate is an error, since no client would accept it. The other checks need the roots of the client;
    // without roots they fail with an unknown issuer, which is ignored.
    let checked = verify_server_cert_signed_by_trust_anchor(
        &leaf,
        &RootCertStore::empty(),
        &[],
        UnixTime::now(),
        ring::default_provider()
            .signature_verification_algorithms
            .all,
    );
    match checked {
        Err(Error::InvalidCertificate(
            CertificateError::Expired | CertificateError::ExpiredContext { .. },
        )) => Err(TlsError::new(file, "a certificate that has not expired")),
        _ => Ok(chain),
    }
}

/// Reads the private key of a server.
pub(super) fn key(file: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    // Drops the error of the parser, which quotes lines of the file.
    PrivateKeyDer::from_pem_slice(&read(file)?).map_err(|_| TlsError::new(file, KEY))
}

/// Parses a bundle of CA certificates. `file` is the name for errors, `pem` its contents.
///
/// # Errors
///
/// Returns a [`TlsError`] if there is no certificate, or an invalid one.
pub fn authorities(file: &Path, pem: &[u8]) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(file, pem)? {
        roots
            .add(certificate)
            .map_err(|_| TlsError::new(file, "certificates that are valid X.509"))?;
    }
    Ok(roots)
}

/// Returns the error for a certificate and a key that rustls has refused.
pub(super) fn refused(files: &Tls, error: &Error) -> TlsError {
    match error {
        Error::InconsistentKeys(_) => {
            TlsError::new(&files.key, "the private key of the certificate")
        }
        _ => TlsError::new(&files.key, KEY),
    }
}

/// Parses certificates, at least one.
fn certificates(file: &Path, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => Err(TlsError::new(file, "certificates in PEM format")),
    }
}

pub(super) fn read(file: &Path) -> Result<Vec<u8>, TlsError> {
    let mut content = Vec::new();
    let read = File::open(file).and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut content));
    match read {
        Ok(_) if content.len() as u64 <= MAX_BYTES => Ok(content),
        Ok(_) => {
            let error = io::Error::new(io::ErrorKind::InvalidData, "it is too long");
            Err(TlsError::unreadable(file, error))
        }
        Err(error) => Err(TlsError::unreadable(file, error)),
    }
}

/// Greatest size of a file, in bytes.
const MAX_BYTES: u64 = 8 * 1024 * 1024;

const KEY: &str = "a private key in PEM format, RSA, ECDSA or Ed25519, without a passphrase";
