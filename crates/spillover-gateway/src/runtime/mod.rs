//! The active configuration, which a reload replaces.

mod normalized_path;
mod options;
mod pool;
mod route;
mod routes;

use std::{collections::HashMap, env, io, sync::Arc};

use spillover_core::Pool;
use spillover_proxy::{
    client_keys::KeyRing,
    cors::CorsLayer,
    upstream::{ConnectSettings, Connector, Dialer},
};
use tower_spillover::{
    affinity::KnownIds,
    model::{Fields, Uses},
    select::ThreadDraw,
};

use self::routes::Routes;
pub(crate) use self::{
    options::{BackendConfig, Clients, CredentialSource, PoolConfig, PoolLimits, Timeouts},
    pool::PoolRuntime,
    route::Route,
};
use crate::entra::{Identity, SCOPE, Tokens};

/// A configuration with everything that is built from it: pools, routes, keys, TLS dialers and token caches.
#[derive(Debug)]
pub(crate) struct ActiveConfig {
    pools: Vec<Arc<PoolRuntime>>,
    routes: Routes,
    fields: Fields,
    /// Dialers by settings. A dialer connects for every protocol, so that the protocol is not part of the key.
    dialers: HashMap<ConnectSettings, Dialer>,
    keys: Arc<KeyRing>,
    cors: CorsLayer,
    tokens: Option<Tokens>,
}

impl ActiveConfig {
    /// Builds the runtime of these pools and client settings. Backends that stay keep the state that `before` has of them, such
    /// as cooldowns.
    ///
    /// # Errors
    ///
    /// Returns an error if certificates or identity settings cannot be read.
    pub(crate) fn new(
        configs: &[PoolConfig],
        clients: &Clients,
        before: Option<&Self>,
    ) -> io::Result<Self> {
        let tokens = match before.and_then(|before| before.tokens.clone()) {
            _ if !needs_tokens(configs) => None,
            None => Some(start_tokens()?),
            tokens => tokens,
        };
        let mut pools = Vec::new();
        for config in configs {
            let backends = config.backends.iter().map(|config| config.backend.clone());
            let before = before.and_then(|before| before.pool(&config.name));
            let pool = match before {
                Some(before) => before.pool().with_backends(backends),
                None => Pool::new(backends),
            };
            let pool = pool.map_err(io::Error::other)?;
            let known_ids = before.map(|before| before.known_ids().clone());
            let known_ids = known_ids.unwrap_or_default();
            pools.push(Arc::new(PoolRuntime::new(
                config.clone(),
                pool,
                known_ids,
                tokens.as_ref(),
            )));
        }
        let mut active = Self::with_pools(pools);
        active.tokens = tokens;
        active.keys = match before {
            Some(before) => before.keys.reloaded(&clients.keys),
            None => KeyRing::new(&clients.keys),
        };
        active.cors = CorsLayer::new(clients.cors.as_ref());
        for settings in active.pools.iter().flat_map(|pool| pool.connect_settings()) {
            let settings = settings.of_dialer();
            let kept = before.and_then(|before| before.dialers.get(&settings).cloned());
            let made = kept.map_or_else(|| Dialer::new(&settings), Ok)?;
            active.dialers.insert(settings, made);
        }
        Ok(active)
    }

    /// Builds the runtime of a single pool that takes all requests.
    pub(crate) fn with_pool(config: PoolConfig, pool: Pool) -> Self {
        Self::with_pools(vec![Arc::new(PoolRuntime::new(
            config,
            pool,
            KnownIds::default(),
            None,
        ))])
    }

    fn with_pools(pools: Vec<Arc<PoolRuntime>>) -> Self {
        Self {
            routes: Routes::new(&pools),
            fields: fields(&pools),
            pools,
            dialers: HashMap::new(),
            keys: KeyRing::new(&[]),
            cors: CorsLayer::new(None),
            tokens: None,
        }
    }

    /// Returns the pools, in the order in which their routes are matched.
    pub(crate) fn pools(&self) -> &[Arc<PoolRuntime>] {
        &self.pools
    }

    pub(crate) fn routes(&self) -> &Routes {
        &self.routes
    }

    /// Returns the fields to read from request bodies.
    pub(crate) fn fields(&self) -> &Fields {
        &self.fields
    }

    /// Returns the client keys.
    pub(crate) fn keys(&self) -> &Arc<KeyRing> {
        &self.keys
    }

    /// Returns the CORS layer.
    pub(crate) fn cors_layer(&self) -> CorsLayer {
        self.cors.clone()
    }

    /// Returns the tokens of Entra ID, if a backend needs them.
    pub(crate) fn tokens(&self) -> Option<&Tokens> {
        self.tokens.as_ref()
    }

    /// Creates a connector.
    pub(crate) fn connector(&self, settings: &ConnectSettings) -> Connector {
        self.dialers[&settings.of_dialer()].connector(settings)
    }

    fn pool(&self, name: &str) -> Option<&PoolRuntime> {
        let pool = self.pools.iter().find(|pool| **pool.name() == *name)?;
        Some(pool)
    }
}

/// Returns true if a backend needs tokens of Entra ID.
fn needs_tokens(configs: &[PoolConfig]) -> bool {
    let mut backends = configs.iter().flat_map(|config| &config.backends);
    backends.any(|backend| backend.credential == CredentialSource::Entra)
}

/// Starts the token cache for the identity that the environment configures.
fn start_tokens() -> io::Result<Tokens> {
    let identity = Identity::find(|name| env::var(name).ok()).map_err(io::Error::other)?;
    let names: Vec<_> = identity.names().collect();
    tracing::info!(sources = ?names, "tokens of Entra ID");
    let source = identity.source(SCOPE)?;
    Ok(Tokens::start(source, ThreadDraw::default()))
}

/// Collects the fields to read from bodies: for routes, for limits per model, for affinity and for replaced models.
fn fields(pools: &[Arc<PoolRuntime>]) -> Fields {
    let fields = pools.iter().flat_map(|pool| pool.affinity_fields());
    let uses = pools.iter().map(|pool| pool.model_uses());
    let uses = uses.fold(Uses::default(), |all, uses| Uses {
        is_routed: all.is_routed | uses.is_routed,
        is_replaced: all.is_replaced | uses.is_replaced,
        is_replaced_beside_path: all.is_replaced_beside_path | uses.is_replaced_beside_path,
    });
    Fields::new(fields, uses)
}
