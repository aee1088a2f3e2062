//! The certificate of all proxies and of the backends. It is their own authority, too.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use rcgen::CertifiedKey;
use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    version::TLS13,
};
use tokio_rustls::TlsAcceptor;

/// The files of the certificate and its key.
pub(crate) struct Files<'a> {
    directory: &'a Path,
}

impl<'a> Files<'a> {
    pub(crate) fn in_directory(directory: &'a Path) -> Self {
        Self { directory }
    }

    /// Writes a certificate for this host: ECDSA, on P-256.
    pub(crate) fn issue(&self) -> io::Result<()> {
        let hosts = ["127.0.0.1".to_owned()];
        let CertifiedKey { cert, signing_key } =
            rcgen::generate_simple_self_signed(hosts).map_err(io::Error::other)?;
        fs::write(self.certificate(), cert.pem())?;
        fs::write(self.key(), signing_key.serialize_pem())
    }

    pub(crate) fn certificate(&self) -> PathBuf {
        self.directory.join("tls.pem")
    }

    /// Where haproxy looks for it.
    pub(crate) fn key(&self) -> PathBuf {
        self.directory.join("tls.pem.key")
    }

    /// For those who accept connections, and speak one of these protocols over them.
    pub(crate) fn acceptor(&self, protocols: &[&str]) -> io::Result<TlsAcceptor> {
        let certificate = self.read_certificate()?;
        let key = PrivateKeyDer::from_pem_file(self.key()).map_err(io::Error::other)?;
        let mut config = ServerConfig::builder_with_provider(ring::default_provider().into())
            .with_protocol_versions(&[&TLS13])
            .map_err(io::Error::other)?
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .map_err(io::Error::other)?;
        config.alpn_protocols = protocols.iter().map(|&name| name.into()).collect();
        // As all the others do, by default.
        config.ticketer = ring::Ticketer::new().map_err(io::Error::other)?;
        Ok(TlsAcceptor::from(Arc::new(config)))
    }

    /// For those who connect.
    pub(crate) fn client(&self) -> io::Result<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots
            .add(self.read_certificate()?)
            .map_err(io::Error::other)?;
        let config = ClientConfig::builder_with_provider(ring::default_provider().into())
            .with_protocol_versions(&[&TLS13])
            .map_err(io::Error::other)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(config)
    }

    fn read_certificate(&self) -> io::Result<CertificateDer<'static>> {
        CertificateDer::from_pem_file(self.certificate()).map_err(io::Error::other)
    }
}
