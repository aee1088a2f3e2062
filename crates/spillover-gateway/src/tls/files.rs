//! What is in the files.

use std::path::Path;

use rustls::{
    CertificateError, Error, RootCertStore,
    client::verify_server_cert_signed_by_trust_anchor,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, UnixTime, pem::PemObject},
    server::ParsedCertificate,
};

use super::TlsError;
use crate::{read_files::ReadFiles, serve::Tls};

/// The certificate of a server, and those that lead to the root.
pub(super) fn chain(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let chain = certificates(file, &read(file)?)?;
    let leaf = ParsedCertificate::try_from(&chain[0])
        .map_err(|_| TlsError::new(file, "a certificate first that is valid X.509"))?;
    // No client would trust one that has ended. The rest of what is checked here needs the client's roots: none is given,
    // and that no issuer is found is no fault.
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

/// The private key of a server.
pub(super) fn key(file: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    // What the parser says of a bad file holds lines of it.
    PrivateKeyDer::from_pem_slice(&read(file)?).map_err(|_| TlsError::new(file, KEY))
}

/// The certificates of who may have issued others, in the file and what is in it.
pub(crate) fn authorities(file: &Path, pem: &[u8]) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(file, pem)? {
        roots
            .add(certificate)
            .map_err(|_| TlsError::new(file, "certificates that are valid X.509"))?;
    }
    Ok(roots)
}

/// Why a certificate and a key that could be read were not taken.
pub(super) fn refused(files: &Tls, error: &Error) -> TlsError {
    match error {
        Error::InconsistentKeys(_) => {
            TlsError::new(&files.key, "the private key of the certificate")
        }
        _ => TlsError::new(&files.key, KEY),
    }
}

/// There is at least one.
fn certificates(file: &Path, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => Err(TlsError::new(file, "certificates in PEM format")),
    }
}

pub(super) fn read(file: &Path) -> Result<Vec<u8>, TlsError> {
    let content = ReadFiles::default().read(file);
    content.map_err(|error| TlsError::unreadable(file, error))
}

const KEY: &str = "a private key in PEM format, RSA, ECDSA or Ed25519, without a passphrase";
