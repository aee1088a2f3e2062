//! The active configuration, which a reload replaces.

mod normalized_path;
mod options;
mod pool;
mod route;
mod routes;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    env, io,
    sync::Arc,
};

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
use crate::entra::{Identity, Tokens};

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
    tokens: TokensByScope,
}

/// A cache of tokens for each scope that a backend needs.
pub(crate) type TokensByScope = BTreeMap<String, Tokens>;

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
        let tokens = tokens(configs, before.map(|before| &before.tokens))?;
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
                &tokens,
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
            &TokensByScope::new(),
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
            tokens: TokensByScope::new(),
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

    /// Returns the tokens of Entra ID that backends need.
    pub(crate) fn tokens(&self) -> &TokensByScope {
        &self.tokens
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

/// Starts a token cache for each scope that a backend needs, and keeps those that `before` has.
fn tokens(configs: &[PoolConfig], before: Option<&TokensByScope>) -> io::Result<TokensByScope> {
    let backends = configs.iter().flat_map(|config| &config.backends);
    let scopes: BTreeSet<_> = backends.filter_map(BackendConfig::token_scope).collect();
    let mut identity = None;
    let mut tokens = TokensByScope::new();
    for scope in scopes {
        let kept = before.and_then(|before| before.get(&scope).cloned());
        let cache = match kept {
            Some(kept) => kept,
            None => {
                let identity = match &identity {
                    Some(identity) => identity,
                    None => identity.insert(find_identity()?),
                };
                let source = identity.clone().source(scope.as_str())?;
                Tokens::start(source, ThreadDraw::default())
            }
        };
        tokens.insert(scope, cache);
    }
    Ok(tokens)
}

/// Returns the identity that the environment configures.
fn find_identity() -> io::Result<Identity> {
    let identity = Identity::find(|name| env::var(name).ok()).map_err(io::Error::other)?;
    let names: Vec<_> = identity.names().collect();
    tracing::info!(sources = ?names, "tokens of Entra ID");
    Ok(identity)
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
