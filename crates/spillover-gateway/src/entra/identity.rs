use std::{fmt, io, path::PathBuf, sync::Arc};

use hyper_util::client::legacy::connect::Connect;
use spillover_proxy::upstream::{ConnectSettings, Dialer};

use super::{
    Source, Unusable,
    candidate::{Candidate, Candidates},
    transport::Transport,
};

/// Scope of tokens for Azure OpenAI, in the public cloud.
pub const SCOPE: &str = "https://cognitiveservices.azure.com/.default";

/// The identity that the environment configures.
#[derive(Clone)]
pub struct Identity {
    candidates: Vec<Candidate>,
    authority: Option<String>,
}

impl Identity {
    /// Reads the identity from environment variables. Empty ones count as not set.
    ///
    /// The first of these that is configured is used: a client secret (`AZURE_CLIENT_SECRET`), a workload identity
    /// (`AZURE_FEDERATED_TOKEN_FILE`), a managed identity (`IDENTITY_ENDPOINT`). Without any of them, it is the first of
    /// these that gives a token: the managed identity of a virtual machine, the sign-in of `az`, the sign-in of `azd`.
    ///
    /// `AZURE_TOKEN_CREDENTIALS=prod` leaves the tools `az` and `azd` out, `dev` leaves out everything else.
    ///
    /// `azure_identity` itself reads `IDENTITY_ENDPOINT` and `IDENTITY_HEADER` from the environment of the process.
    ///
    /// # Errors
    ///
    /// Returns [`Unusable`] if the variables of an identity are incomplete, or contradict each other.
    pub fn find(variable: impl Fn(&str) -> Option<String>) -> Result<Self, Unusable> {
        let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
        Ok(Self {
            candidates: candidates(&variable)?,
            authority: authority(&variable)?,
        })
    }

    /// Returns the name of the identity, or the names of the candidates.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.candidates.iter().map(Candidate::name)
    }

    /// Returns a source of tokens for `scope`. Sends nothing yet.
    ///
    /// # Errors
    ///
    /// Returns an error if the identity needs TLS and there are no root certificates.
    pub fn source(self, scope: impl Into<String>) -> io::Result<impl Source> {
        let needs_tls = self.candidates.iter().any(Candidate::needs_tls);
        let settings = ConnectSettings::new(needs_tls);
        let connector = Dialer::new(&settings)?.connector(&settings);
        Ok(self.source_over(scope.into(), connector))
    }

    pub(super) fn source_over<C>(self, scope: String, connector: C) -> impl Source
    where
        C: Connect + Clone + Send + Sync + 'static,
    {
        let transport = Arc::new(Transport::new(connector));
        Candidates::new(self.candidates, scope, transport, self.authority)
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("names", &self.names().collect::<Vec<_>>())
            .field("authority", &self.authority)
            .finish_non_exhaustive()
    }
}

fn candidates(variable: &dyn Fn(&str) -> Option<String>) -> Result<Vec<Candidate>, Unusable> {
    let tools = vec![Candidate::Az, Candidate::Azd];
    let with_tools = match variable(TOKEN_CREDENTIALS).as_deref() {
        None => true,
        Some("prod") => false,
        Some("dev") => return Ok(tools),
        // The message leaves the value out: a misplaced secret may be in it.
        Some(_) => return Err(unusable(TOKEN_CREDENTIALS, "expected prod or dev".into())),
    };
    let needed = |name, because| {
        variable(name).ok_or_else(|| unusable(name, format!("not set, but {because} is")))
    };

    if let Some(secret) = variable(CLIENT_SECRET) {
        return Ok(vec![Candidate::ClientSecret {
            tenant: needed(TENANT_ID, CLIENT_SECRET)?,
            client: needed(CLIENT_ID, CLIENT_SECRET)?,
            secret,
        }]);
    }
    if let Some(file) = variable(TOKEN_FILE) {
        return Ok(vec![Candidate::Workload {
            tenant: needed(TENANT_ID, TOKEN_FILE)?,
            client: needed(CLIENT_ID, TOKEN_FILE)?,
            file: PathBuf::from(file),
        }]);
    }
    let client = variable(CLIENT_ID);
    if variable(ENDPOINT).is_some() {
        // Azure Arc sets this variable and no IDENTITY_HEADER.
        if variable(IMDS_ENDPOINT).is_none() {
            needed(HEADER, ENDPOINT)?;
        }
        return Ok(vec![Candidate::Managed { client }]);
    }
    let mut candidates = vec![Candidate::Machine { client }];
    if with_tools {
        candidates.extend(tools);
    }
    Ok(candidates)
}

fn authority(variable: &dyn Fn(&str) -> Option<String>) -> Result<Option<String>, Unusable> {
    let Some(host) = variable(AUTHORITY_HOST) else {
        return Ok(None);
    };
    if host.starts_with("https://") {
        Ok(Some(host))
    } else {
        Err(unusable(AUTHORITY_HOST, "expected an https URL".into()))
    }
}

fn unusable(variable: &'static str, problem: String) -> Unusable {
    Unusable { variable, problem }
}

const AUTHORITY_HOST: &str = "AZURE_AUTHORITY_HOST";
const CLIENT_ID: &str = "AZURE_CLIENT_ID";
const CLIENT_SECRET: &str = "AZURE_CLIENT_SECRET";
const TENANT_ID: &str = "AZURE_TENANT_ID";
const TOKEN_CREDENTIALS: &str = "AZURE_TOKEN_CREDENTIALS";
const TOKEN_FILE: &str = "AZURE_FEDERATED_TOKEN_FILE";
const ENDPOINT: &str = "IDENTITY_ENDPOINT";
const HEADER: &str = "IDENTITY_HEADER";
const IMDS_ENDPOINT: &str = "IMDS_ENDPOINT";
