use spillover_core::{Credential, InvalidBackend};

use super::{Check, headers::field_name};
use crate::{
    config::file::{CredentialHeader, CredentialTable, Path, Secret},
    site::CredentialSource,
};

impl Check<'_> {
    /// The credential that the backend is built with, and where it comes from.
    pub(super) fn credential(
        &mut self,
        path: &Path,
        table: &CredentialTable,
    ) -> Option<(Option<Credential>, CredentialSource)> {
        let own = match table {
            CredentialTable::Passthrough => return Some((None, CredentialSource::Client)),
            CredentialTable::Entra => {
                return Some((Some(Credential::by_layer()), CredentialSource::Entra));
            }
            CredentialTable::ApiKey(secret) => {
                self.field(&path.key("api_key"), secret, Credential::api_key)
            }
            CredentialTable::Bearer(secret) => {
                self.field(&path.key("bearer"), secret, Credential::bearer)
            }
            CredentialTable::Header(CredentialHeader { name, value }) => {
                let path = path.key("header");
                let name = self.keep(&path.key("name"), field_name(name));
                self.field(&path.key("value"), value, |value| {
                    // Without a name, what is wrong with the value is still to be found.
                    let name = name.unwrap_or(http::header::AUTHORIZATION);
                    Credential::header(name, value)
                })
            }
        };
        own.map(|credential| (Some(credential), CredentialSource::Backend))
    }

    fn field(
        &mut self,
        path: &Path,
        secret: &Secret,
        build: impl FnOnce(String) -> Result<Credential, InvalidBackend>,
    ) -> Option<Credential> {
        let secret = self.secret(path, secret)?;
        let credential = build(secret).map_err(|invalid| invalid.expected());
        self.keep(path, credential)
    }
}
