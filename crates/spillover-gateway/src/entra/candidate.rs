use std::{error::Error, iter, net::Ipv4Addr, path::PathBuf, sync::Arc, time::Duration};

use azure_core::{
    cloud::{CloudConfiguration, CustomConfiguration},
    credentials::{AccessToken, Secret, TokenCredential},
    http::{ClientOptions, HttpClient, RetryOptions, Transport},
    time::OffsetDateTime,
};
use azure_identity::{
    AzureCliCredential, AzureDeveloperCliCredential, ClientAssertionCredentialOptions,
    ClientSecretCredential, ClientSecretCredentialOptions, ManagedIdentityCredential,
    ManagedIdentityCredentialOptions, UserAssignedId, WorkloadIdentityCredential,
    WorkloadIdentityCredentialOptions,
};
use tokio::{net::TcpStream, time::timeout};

use super::{Failure, Fresh, Source};

/// An identity that the gateway may have.
#[derive(Clone)]
pub(super) enum Candidate {
    ClientSecret {
        tenant: String,
        client: String,
        secret: String,
    },
    Workload {
        tenant: String,
        client: String,
        file: PathBuf,
    },
    /// A managed identity whose endpoint is in the environment.
    Managed {
        client: Option<String>,
    },
    /// The managed identity of a virtual machine. Only a connection to its endpoint shows that there is one.
    Machine {
        client: Option<String>,
    },
    Az,
    Azd,
}

impl Candidate {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::ClientSecret { .. } => "client secret",
            Self::Workload { .. } => "workload identity",
            Self::Managed { .. } => "managed identity",
            Self::Machine { .. } => "managed identity of the machine",
            Self::Az => "az",
            Self::Azd => "azd",
        }
    }

    /// Returns true for identities that ask Entra ID directly. The endpoints of managed identities speak plain HTTP.
    pub(super) fn needs_tls(&self) -> bool {
        matches!(self, Self::ClientSecret { .. } | Self::Workload { .. })
    }

    fn build(&self, client_options: ClientOptions) -> azure_core::Result<Arc<dyn TokenCredential>> {
        Ok(match self.clone() {
            Self::ClientSecret {
                tenant,
                client,
                secret,
            } => {
                let options = ClientSecretCredentialOptions { client_options };
                ClientSecretCredential::new(&tenant, client, Secret::new(secret), Some(options))?
            }
            Self::Workload {
                tenant,
                client,
                file,
            } => WorkloadIdentityCredential::new(Some(WorkloadIdentityCredentialOptions {
                credential_options: ClientAssertionCredentialOptions { client_options },
                client_id: Some(client),
                tenant_id: Some(tenant),
                token_file_path: Some(file),
            }))?,
            Self::Managed { client } | Self::Machine { client } => {
                ManagedIdentityCredential::new(Some(ManagedIdentityCredentialOptions {
                    user_assigned_id: client.map(UserAssignedId::ClientId),
                    client_options,
                }))?
            }
            Self::Az => AzureCliCredential::new(None)?,
            Self::Azd => AzureDeveloperCliCredential::new(None)?,
        })
    }
}

/// The candidates, best first. The first one that gives a token is the only one from then on.
pub(super) struct Candidates {
    candidates: Vec<(Candidate, Option<Arc<dyn TokenCredential>>)>,
    scope: String,
    options: ClientOptions,
}

impl Candidates {
    pub(super) fn new(
        candidates: Vec<Candidate>,
        scope: String,
        transport: Arc<dyn HttpClient>,
        authority: Option<String>,
    ) -> Self {
        let cloud = authority.map(|authority| {
            let mut cloud = CustomConfiguration::default();
            cloud.authority_host = authority;
            Arc::new(CloudConfiguration::Custom(cloud))
        });
        let options = ClientOptions {
            transport: Some(Transport::new(transport)),
            // The refresh task alone decides when to ask again.
            retry: RetryOptions::none(),
            cloud,
            ..ClientOptions::default()
        };
        Self {
            candidates: candidates.into_iter().zip(iter::repeat(None)).collect(),
            scope,
            options,
        }
    }
}

impl Source for Candidates {
    async fn token(&mut self) -> Result<Fresh, Failure> {
        let mut reasons = Vec::with_capacity(self.candidates.len());
        for (index, (candidate, credential)) in self.candidates.iter_mut().enumerate() {
            let name = candidate.name();
            match ask(candidate, credential, &self.options, &self.scope).await {
                Ok(token) => {
                    let fresh =
                        Fresh::new(token.token.secret().to_owned(), valid_for(&token), name);
                    self.candidates.swap(0, index);
                    self.candidates.truncate(1);
                    return Ok(fresh);
                }
                Err(reason) => reasons.push(format!("{name}: {reason}")),
            }
        }
        Err(Failure::new(reasons.join("; ")))
    }
}

/// Asks a candidate for a token. Builds its credential at the first call, because the files and endpoints that it needs may
/// appear later than the gateway, and keeps it.
async fn ask(
    candidate: &Candidate,
    credential: &mut Option<Arc<dyn TokenCredential>>,
    options: &ClientOptions,
    scope: &str,
) -> Result<AccessToken, String> {
    if matches!(candidate, Candidate::Machine { .. }) {
        reach_endpoint().await?;
    }
    let credential = match credential {
        Some(credential) => credential,
        None => {
            let built = candidate.build(options.clone());
            credential.insert(built.map_err(|error| reason(&error))?)
        }
    };
    let token = credential.get_token(&[scope], None).await;
    token.map_err(|error| reason(&error))
}

/// Checks that the endpoint of virtual machines accepts a connection. Elsewhere a connect attempt can hang, which would
/// delay the next candidates, the developer tools.
async fn reach_endpoint() -> Result<(), String> {
    let error = match timeout(CONNECT_LIMIT, TcpStream::connect(MACHINE_ENDPOINT)).await {
        Ok(Ok(_)) => return Ok(()),
        Ok(Err(error)) => error.to_string(),
        Err(elapsed) => elapsed.to_string(),
    };
    Err(format!("this is no virtual machine of Azure ({error})"))
}

/// Returns the remaining lifetime of a token. The rest of the module works with durations only.
fn valid_for(token: &AccessToken) -> Duration {
    let left = token.expires_on - OffsetDateTime::now_utc();
    left.try_into().unwrap_or(Duration::ZERO)
}

/// Returns the message of the innermost error of the Azure crates, which has the reason. The outer ones only add the name of
/// the credential and a link.
fn reason(error: &azure_core::Error) -> String {
    let chain = iter::successors(Some(error as &dyn Error), |error| (*error).source());
    let innermost = chain.filter_map(|error| error.downcast_ref::<azure_core::Error>());
    innermost.last().unwrap_or(error).to_string()
}

/// The token endpoint of Azure virtual machines
/// (<https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token>).
const MACHINE_ENDPOINT: (Ipv4Addr, u16) = (Ipv4Addr::new(169, 254, 169, 254), 80);

/// Connect timeout of the token endpoint, which is on the machine itself.
const CONNECT_LIMIT: Duration = Duration::from_secs(1);
