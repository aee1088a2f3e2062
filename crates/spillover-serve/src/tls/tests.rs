use std::{
    env, fs,
    path::{Path, PathBuf},
    process,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
};

use rcgen::{CertificateParams, Issuer, KeyPair, date_time_ymd};

use super::*;
use crate::{ClientCertificate, Tls};

/// A temporary directory.
struct Files {
    directory: PathBuf,
}

impl Files {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);

        let number = COUNT.fetch_add(1, Relaxed);
        let name = format!("spillover-tls-{}-{number}", process::id());
        let directory = env::temp_dir().join(name);
        fs::create_dir(&directory).unwrap();
        Self { directory }
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let file = self.directory.join(name);
        fs::write(&file, content).unwrap();
        file
    }

    /// Writes a certificate and its key.
    fn pair(&self) -> Tls {
        let (certificate, key) = issue(CertificateParams::new(["localhost".to_owned()]).unwrap());
        Tls {
            certificate: self.write("cert.pem", certificate),
            key: self.write("key.pem", key),
            client: None,
        }
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}

fn issue(params: CertificateParams) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    (certificate.pem(), key.serialize_pem())
}

fn refusal(files: &Tls) -> TlsError {
    Acceptor::load(files).map(drop).unwrap_err()
}

#[track_caller]
fn assert_expects(files: &Tls, file: &Path, expected: &str) {
    let error = refusal(files);
    assert_eq!(error.file(), Some(file));
    let said = error.to_string();
    assert!(said.contains(&*file.to_string_lossy()), "{said}");
    assert!(said.contains(expected), "{said}");
}

#[test]
fn certificate_and_its_key_are_accepted() {
    let files = Files::new();
    let config = Acceptor::load(&files.pair()).unwrap().config();
    assert_eq!(config.alpn_protocols, [&b"h2"[..], b"http/1.1"]);
    assert!(config.ticketer.enabled());
}

#[test]
fn missing_file_is_named() {
    let files = Files::new();
    let mut tls = files.pair();
    tls.key = files.directory.join("nothing.pem");
    assert_expects(&tls, &tls.key, "cannot read");
}

#[test]
fn file_without_pem_is_refused() {
    let files = Files::new();
    for content in ["", "garbage", "-----BEGIN CERTIFICATE-----\n!\n"] {
        let tls = files.pair();
        files.write("cert.pem", content);
        assert_expects(&tls, &tls.certificate, "certificates in PEM format");
        let tls = files.pair();
        files.write("key.pem", content);
        assert_expects(&tls, &tls.key, "a private key in PEM format");
    }
}

#[test]
fn pem_without_a_certificate_is_refused() {
    let files = Files::new();
    let tls = files.pair();
    let content = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    files.write("cert.pem", content);
    assert_expects(&tls, &tls.certificate, "valid X.509");

    let mut tls = files.pair();
    let ca = files.write("ca.pem", content);
    tls.client = Some(ClientCertificate {
        ca: ca.clone(),
        is_required: true,
    });
    assert_expects(&tls, &ca, "valid X.509");
}

#[test]
fn key_of_another_certificate_is_refused() {
    let files = Files::new();
    let tls = files.pair();
    files.write("key.pem", KeyPair::generate().unwrap().serialize_pem());
    assert_expects(&tls, &tls.key, "the private key of the certificate");
}

#[test]
fn expired_certificate_is_refused() {
    let files = Files::new();
    let tls = files.pair();
    let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2021, 1, 1);
    let (certificate, key) = issue(params);
    files.write("cert.pem", certificate);
    files.write("key.pem", key);
    assert_expects(&tls, &tls.certificate, "has not expired");
}

#[test]
fn certificate_of_a_private_ca_is_accepted() {
    let files = Files::new();
    let tls = files.pair();
    let authority = KeyPair::generate().unwrap();
    let issuer = Issuer::new(CertificateParams::default(), &authority);
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap();
    files.write("cert.pem", certificate.pem());
    files.write("key.pem", key.serialize_pem());
    Acceptor::load(&tls).unwrap();
}

#[test]
fn errors_do_not_quote_a_key() {
    let files = Files::new();
    let tls = files.pair();
    files.write(
        "key.pem",
        "-----BEGIN PRIVATE KEY-----\nc2VjcmV0!secret\n-----END PRIVATE KEY-----\n",
    );
    let error = refusal(&tls);
    for said in [error.to_string(), format!("{error:?}")] {
        assert!(!said.to_lowercase().contains("secret"), "{said}");
        assert!(!said.contains("c2Vj"), "{said}");
    }
}

#[test]
fn reload_applies_valid_files_and_refuses_invalid_ones() {
    let files = Files::new();
    let acceptor = Acceptor::load(&files.pair()).unwrap();
    let first = acceptor.config();

    files.write("cert.pem", "half a fi");
    acceptor.reload().unwrap_err();
    assert!(Arc::ptr_eq(&first, &acceptor.config()));

    files.pair();
    acceptor.reload().unwrap();
    assert!(!Arc::ptr_eq(&first, &acceptor.config()));
}
