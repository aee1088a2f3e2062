use std::{
    convert::Infallible,
    env, fs,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use axum::body::Body;
use http::{Request, Response};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use rcgen::{BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use spillover_serve::Tls;
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ClientConfig, RootCertStore, ServerConfig, crypto::ring, pki_types::PrivatePkcs8KeyDer,
    },
};

/// Issues certificates. Its own is in a file, for clients that are to trust it.
#[derive(Debug)]
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    file: PathBuf,
}

impl Authority {
    /// A new one, that nobody trusts yet.
    pub fn new() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);

        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("a certificate");
        let number = COUNT.fetch_add(1, Relaxed);
        let file = env::temp_dir().join(format!("spillover-{}-{number}.pem", process::id()));
        fs::write(&file, issuer.pem()).expect("a file for temporary use");
        Self { issuer, file }
    }

    /// The file with its certificate, which is there for as long as this is.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Issues a certificate for `host`.
    pub fn issue(&self, host: &str) -> Identity {
        let params = CertificateParams::new([host.to_owned()]).expect("a host");
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        Identity { certificate, key }
    }

    /// Its own certificate, for clients that are to trust it.
    pub fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        let added = roots.add(self.issuer.der().clone());
        added.expect("a certificate");
        roots
    }

    /// What a client needs to trust servers with certificates of this authority, and to be `identity`.
    pub fn client_config(&self, identity: Option<&Identity>, protocols: &[&str]) -> ClientConfig {
        let builder = ClientConfig::builder_with_provider(ring::default_provider().into())
            .with_safe_default_protocol_versions()
            .expect("the versions of the provider")
            .with_root_certificates(self.roots());
        let mut config = match identity {
            Some(Identity { certificate, key }) => builder
                .with_client_auth_cert(
                    vec![certificate.der().clone()],
                    PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
                )
                .expect("a certificate and its key"),
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = protocols.iter().map(|&name| name.into()).collect();
        config
    }

    /// What a server needs to be `host`, and speak one of these protocols.
    fn server_config(&self, host: &str, protocols: &[&str]) -> ServerConfig {
        let Identity { certificate, key } = self.issue(host);
        let mut config = ServerConfig::builder_with_provider(ring::default_provider().into())
            .with_safe_default_protocol_versions()
            .expect("the versions of the provider")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key.into())
            .expect("a certificate and its key");
        config.alpn_protocols = protocols.iter().map(|&name| name.into()).collect();
        config
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Authority {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.file);
    }
}

/// A certificate and its key.
#[derive(Debug)]
pub struct Identity {
    certificate: Certificate,
    key: KeyPair,
}

impl Identity {
    /// Writes it to two files in this directory.
    pub fn write(&self, directory: &Path) -> Tls {
        let (certificate, key) = (directory.join("cert.pem"), directory.join("key.pem"));
        fs::write(&certificate, self.certificate.pem()).expect("a directory to write to");
        fs::write(&key, self.key.serialize_pem()).expect("a directory to write to");
        Tls {
            certificate,
            key,
            client: None,
        }
    }

    /// The certificate.
    pub fn certificate(&self) -> &[u8] {
        self.certificate.der()
    }
}

/// A backend that speaks TLS, and over it the protocol that the client prefers of those it has.
#[derive(Debug)]
pub struct TlsUpstream {
    address: SocketAddr,
    connections: Arc<AtomicU64>,
    _accepting: JoinSet<()>,
}

impl TlsUpstream {
    /// Starts one with a certificate for 127.0.0.1, that answers by `answer`.
    pub async fn start<F>(
        authority: &Authority,
        protocols: &[&str],
        answer: impl Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    ) -> Self
    where
        F: Future<Output = Response<Body>> + Send + 'static,
    {
        Self::start_as("127.0.0.1", authority, protocols, answer).await
    }

    /// Starts one with a certificate for `host`.
    pub async fn start_as<F>(
        host: &str,
        authority: &Authority,
        protocols: &[&str],
        answer: impl Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    ) -> Self
    where
        F: Future<Output = Response<Body>> + Send + 'static,
    {
        let acceptor = TlsAcceptor::from(Arc::new(authority.server_config(host, protocols)));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let connections = Arc::new(AtomicU64::new(0));

        let mut accepting = JoinSet::new();
        let accepted = Arc::clone(&connections);
        accepting.spawn(async move {
            let mut serving = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                accepted.fetch_add(1, Relaxed);
                serving.spawn(serve(acceptor.clone(), stream, answer.clone()));
            }
        });
        Self {
            address,
            connections,
            _accepting: accepting,
        }
    }

    /// Its base URL, without a slash at the end.
    pub fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// How many connections it accepted.
    pub fn connections(&self) -> u64 {
        self.connections.load(Relaxed)
    }
}

async fn serve<F>(
    acceptor: TlsAcceptor,
    stream: TcpStream,
    answer: impl Fn(Request<Incoming>) -> F + Clone + Send + 'static,
) where
    F: Future<Output = Response<Body>> + Send + 'static,
{
    // A client that does not trust it hangs up.
    let Ok(stream) = acceptor.accept(stream).await else {
        return;
    };
    let service = service_fn(move |request| {
        let answer = answer(request);
        async { Ok::<_, Infallible>(answer.await) }
    });
    let server = auto::Builder::new(TokioExecutor::new());
    // How the connection ends is the client's to see.
    let io = TokioIo::new(stream);
    let _ = server.serve_connection_with_upgrades(io, service).await;
}
