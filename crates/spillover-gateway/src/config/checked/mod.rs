//! What the gateway goes by, checked: the environment, the flags and the file come to the same values.

mod affinity;
mod client;
mod connections;
mod headers;
mod listener;
mod pool;
mod protocol;
mod route;

pub(crate) use self::{
    affinity::{AffinityConfig, AffinityKey},
    client::{ClientKey, Clients, Cors},
    headers::HeaderRules,
    pool::{Authorities, BackendConfig, CredentialSource, PoolConfig, PoolLimits, Timeouts},
    protocol::Protocol,
    route::Route,
};
pub use self::{
    connections::{Connections, Shutdown},
    listener::{ClientCertificate, Listener, Tls},
};
