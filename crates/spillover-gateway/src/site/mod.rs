//! The active configuration, which a reload replaces.

mod options;
mod pool;
mod resolved;
mod route;
mod routes;

pub(crate) use self::options::{
    BackendConfig, Clients, CredentialSource, PoolConfig, PoolLimits, Timeouts,
};
pub(crate) use self::route::Route;
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

pub(crate) use self::pool::PoolSite;
use self::routes::Routes;

use crate::{
    config::Config,
    entra::{Identity, SCOPE, Tokens},
};

/// A configuration with everything that is built from it: pools, routes, keys, TLS dialers and token caches.
#[derive(Debug)]
pub(crate) struct Site {
    pools: Vec<Arc<PoolSite>>,
    routes: Routes,
    fields: Fields,
    /// Dialers by settings. A dialer connects for every protocol, so that the protocol is not part of the key.
    dialers: HashMap<ConnectSettings, Dialer>,
    keys: Arc<KeyRing>,
    cors: CorsLayer,
    tokens: Option<Tokens>,
}

impl Site {
    /// Builds the runtime of `config`. Backends that stay keep the state that `before` has of them, such as cooldowns.
    ///
    /// # Errors
    ///
    /// Returns an error if certificates or identity settings cannot be read.
    pub(crate) fn new(config: &Config, before: Option<&Self>) -> io::Result<Self> {
        let tokens = match before.and_then(|before| before.tokens.clone()) {
            _ if !config.wants_tokens() => None,
            None => Some(start_tokens()?),
            tokens => tokens,
        };
        let mut pools = Vec::new();
        for config in &config.pools {
            let backends = config.backends.iter().map(|config| config.backend.clone());
            let before = before.and_then(|before| before.pool(&config.name));
            let pool = match before {
                Some(before) => before.pool().with_backends(backends),
                None => Pool::new(backends),
            };
            let pool = pool.map_err(io::Error::other)?;
            let known_ids = before.map(|before| before.known_ids().clone());
            let known_ids = known_ids.unwrap_or_default();
            pools.push(Arc::new(PoolSite::new(
                config.clone(),
                pool,
                known_ids,
                tokens.as_ref(),
            )));
        }
        let mut site = Self::of(pools);
        site.tokens = tokens;
        site.keys = match before {
            Some(before) => before.keys.reloaded(&config.clients.keys),
            None => KeyRing::new(&config.clients.keys),
        };
        site.cors = CorsLayer::new(config.clients.cors.as_ref());
        for settings in site.pools.iter().flat_map(|pool| pool.connect_settings()) {
            let settings = settings.of_dialer();
            let kept = before.and_then(|before| before.dialers.get(&settings).cloned());
            let made = kept.map_or_else(|| Dialer::new(&settings), Ok)?;
            site.dialers.insert(settings, made);
        }
        Ok(site)
    }

    /// Builds the runtime of a single pool that takes all requests.
    pub(crate) fn of_pool(config: PoolConfig, pool: Pool) -> Self {
        Self::of(vec![Arc::new(PoolSite::new(
            config,
            pool,
            KnownIds::default(),
            None,
        ))])
    }

    fn of(pools: Vec<Arc<PoolSite>>) -> Self {
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
    pub(crate) fn pools(&self) -> &[Arc<PoolSite>] {
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

    fn pool(&self, name: &str) -> Option<&PoolSite> {
        let pool = self.pools.iter().find(|pool| **pool.name() == *name)?;
        Some(pool)
    }
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
fn fields(pools: &[Arc<PoolSite>]) -> Fields {
    let fields = pools.iter().flat_map(|pool| pool.affinity_fields());
    let uses = pools.iter().map(|pool| pool.model_uses());
    let uses = uses.fold(Uses::default(), |all, uses| Uses {
        is_routed: all.is_routed | uses.is_routed,
        is_replaced: all.is_replaced | uses.is_replaced,
        is_replaced_beside_path: all.is_replaced_beside_path | uses.is_replaced_beside_path,
    });
    Fields::new(fields, uses)
}
