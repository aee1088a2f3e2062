use super::Check;
use crate::config::file::{AdminTable, ClientCertificateWord, ListenerTable, Path, TlsTable};
use spillover_serve::{ClientCertificate, ListenAddr, Listener, Tls};

impl Check<'_> {
    pub(super) fn listeners(&mut self, path: &Path, tables: &[ListenerTable]) -> Vec<Listener> {
        let mut listeners = Vec::<Listener>::new();
        for (index, table) in tables.iter().enumerate() {
            let path = path.index(index);
            let tls = table
                .tls
                .as_ref()
                .and_then(|tls| self.tls(&path.key("tls"), tls));
            let at = path.key("address");
            let Some(address) = self.keep(&at, ListenAddr::parse(table.address.trim())) else {
                continue;
            };
            self.refuse_taken(&at, &address, &listeners);
            listeners.push(Listener { address, tls });
        }
        listeners
    }

    pub(super) fn admin(
        &mut self,
        path: &Path,
        table: &AdminTable,
        listeners: &[Listener],
    ) -> Option<ListenAddr> {
        let path = path.key("address");
        let expected = "a host and a port, such as 127.0.0.1:9090";
        let address = self.required(&path, &table.address, expected)?;
        let address = self.keep(&path, ListenAddr::parse(address.trim()))?;
        self.refuse_taken(&path, &address, listeners);
        Some(address)
    }

    fn refuse_taken(&mut self, path: &Path, address: &ListenAddr, listeners: &[Listener]) {
        if address.is_any_port() {
            return;
        }
        let taken = listeners
            .iter()
            .position(|listener| listener.address == *address);
        if let Some(index) = taken {
            self.problem(
                path,
                format!("listeners[{index}] has this address; expected one of its own"),
            );
        }
    }

    fn tls(&mut self, path: &Path, table: &TlsTable) -> Option<Tls> {
        const PEM: &str = "the path of a file in PEM format";
        let certificate = self.required(&path.key("certificate"), &table.certificate, PEM);
        let key = self.required(&path.key("key"), &table.key, PEM);
        let certificate = certificate.map(|file| self.readable(&path.key("certificate"), file));
        let key = key.map(|file| self.readable(&path.key("key"), file));
        if table.client_ca.is_none() && table.client_certificate.is_some() {
            let message =
                "not set, but client_certificate is; expected the path of a file in PEM format";
            self.problem(&path.key("client_ca"), message);
        }
        let client = table.client_ca.as_ref().map(|file| ClientCertificate {
            ca: self.readable(&path.key("client_ca"), file),
            is_required: table.client_certificate.unwrap_or_default()
                == ClientCertificateWord::Required,
        });
        Some(Tls {
            certificate: certificate?,
            key: key?,
            client,
        })
    }
}
