//! The certificate of all proxies and backends, which is its own authority.

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

    /// Writes a certificate for this host: ECDSA on P-256.
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

    /// Returns the path at which haproxy looks for the key.
    pub(crate) fn key(&self) -> PathBuf {
        self.directory.join("tls.pem.key")
    }

    /// Returns an acceptor for servers that speak these protocols.
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
        // The other proxies resume sessions by default too.
        config.ticketer = ring::Ticketer::new().map_err(io::Error::other)?;
        Ok(TlsAcceptor::from(Arc::new(config)))
    }

    /// Returns the configuration of clients.
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

#[cfg(test)]
mod tests {
    use rustls::{CipherSuite, pki_types::ServerName};
    use tokio_rustls::TlsConnector;

    use super::*;

    #[tokio::test]
    async fn client_trusts_the_server_certificate() {
        let directory = std::env::temp_dir().join("spillover-bench-tls");
        fs::create_dir_all(&directory).unwrap();
        let files = Files::in_directory(&directory);
        files.issue().unwrap();
        let acceptor = files.acceptor(&["h2", "http/1.1"]).unwrap();
        let mut config = files.client().unwrap();
        fs::remove_dir_all(&directory).unwrap();

        config.alpn_protocols = vec![b"http/1.1".into()];
        let connector = TlsConnector::from(Arc::new(config));
        let name = ServerName::try_from("127.0.0.1").unwrap();
        let (near, far) = tokio::io::duplex(1 << 14);
        let (client, server) = tokio::join!(connector.connect(name, near), acceptor.accept(far));
        server.unwrap();
        let client = client.unwrap();
        let (_, session) = client.get_ref();
        assert_eq!(session.alpn_protocol(), Some(&b"http/1.1"[..]));
        // OpenSSL selects the same cipher suite.
        let suite = session.negotiated_cipher_suite().unwrap().suite();
        assert_eq!(suite, CipherSuite::TLS13_AES_256_GCM_SHA384);
    }
}
