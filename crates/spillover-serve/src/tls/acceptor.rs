use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::{
    ServerConfig,
    crypto::ring,
    server::{WebPkiClientVerifier, danger::ClientCertVerifier},
};

use super::{TlsError, files};
use crate::{ClientCertificate, Tls};

/// Certificates and settings of a TLS listener.
#[derive(Debug)]
pub struct Acceptor {
    files: Tls,
    config: ArcSwap<ServerConfig>,
}

impl Acceptor {
    /// Reads the files.
    ///
    /// # Errors
    ///
    /// Returns a [`TlsError`] that names the first file that is not as expected.
    pub fn load(files: &Tls) -> Result<Self, TlsError> {
        Ok(Self {
            config: ArcSwap::from_pointee(read(files)?),
            files: files.clone(),
        })
    }

    /// Reads the files again, for later handshakes.
    ///
    /// Earlier sessions cannot be resumed, so that every client certificate is verified again.
    ///
    /// # Errors
    ///
    /// Returns a [`TlsError`] that names the first file that is not as expected. Nothing changes then.
    pub fn reload(&self) -> Result<(), TlsError> {
        self.apply(self.read()?);
        Ok(())
    }

    /// Reads the files again without using them, for a reload of several parts that fails as a whole.
    ///
    /// # Errors
    ///
    /// Returns a [`TlsError`] that names the first file that is not as expected.
    pub fn read(&self) -> Result<ServerConfig, TlsError> {
        read(&self.files)
    }

    /// Uses the settings that [`read`](Self::read) has returned, for later handshakes.
    pub fn apply(&self, config: ServerConfig) {
        self.config.store(Arc::new(config));
    }

    /// Returns the paths of the files.
    pub fn files(&self) -> &Tls {
        &self.files
    }

    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        self.config.load_full()
    }
}

fn read(files: &Tls) -> Result<ServerConfig, TlsError> {
    let chain = files::chain(&files.certificate)?;
    let key = files::key(&files.key)?;
    let builder = ServerConfig::builder_with_provider(ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .map_err(|_| TlsError::setup())?;
    let builder = match &files.client {
        Some(client) => builder.with_client_cert_verifier(verifier(client)?),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder
        .with_single_cert(chain, key)
        .map_err(|error| files::refused(files, &error))?;
    config.alpn_protocols = vec![b"h2".into(), b"http/1.1".into()];
    // Session tickets need no state per client.
    config.ticketer = ring::Ticketer::new().map_err(|_| TlsError::setup())?;
    Ok(config)
}

fn verifier(client: &ClientCertificate) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let authorities = files::authorities(&client.ca, &files::read(&client.ca)?)?;
    let provider = ring::default_provider().into();
    let builder = WebPkiClientVerifier::builder_with_provider(authorities.into(), provider);
    let builder = match client.is_required {
        true => builder,
        false => builder.allow_unauthenticated(),
    };
    let unusable = |_| TlsError::new(&client.ca, AUTHORITIES);
    builder.build().map_err(unusable)
}

const AUTHORITIES: &str = "certificates of authorities that can be used";
