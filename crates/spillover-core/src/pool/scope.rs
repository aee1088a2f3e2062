use std::{
    hash::{BuildHasher, RandomState},
    sync::LazyLock,
};

use http::HeaderMap;

use super::{
    Credential,
    model_in_path::{counts_tokens, model_in_path},
};

/// The part of a backend that a rate limit applies to: a deployment or a model. Scopes with equal names are equal.
///
/// A scope in the extensions of a request decides which cooldowns apply to the request, and which scope its response
/// closes.
///
/// ```
/// use spillover_core::Scope;
///
/// assert_eq!(Scope::named("gpt-4o"), Scope::named("gpt-4o"));
/// assert_ne!(Scope::named("gpt-4o"), Scope::named("gpt-4.1"));
/// assert_ne!(Scope::named("gpt-4o"), Scope::BACKEND);
///
/// assert_eq!(Scope::of_path("/openai/deployments/gpt-4o/chat/completions"), Some(Scope::named("gpt-4o")));
/// assert_eq!(Scope::of_path("/v1/chat/completions"), None);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Scope {
    /// A hash. Zero stands for none.
    account: u64,
    name: u64,
    naming: Naming,
}

/// The way in which a request names a scope. A backend may replace the name by its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Naming {
    #[default]
    Other,
    Deployment,
    Model,
}

impl Scope {
    /// The whole backend.
    pub const BACKEND: Self = Self {
        account: 0,
        name: 0,
        naming: Naming::Other,
    };

    /// Returns the scope with this name.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self {
            name: hash(name.as_bytes()),
            ..Self::BACKEND
        }
    }

    /// Returns the scope that a path names: the [model or deployment](model_in_path) in it. A path that counts tokens has a scope of
    /// its own, whatever the model: its limit is not that of the model.
    ///
    /// ```
    /// use spillover_core::Scope;
    ///
    /// let generate = Scope::of_path("/v1beta/models/gemini-2.5-pro:generateContent");
    /// assert_eq!(generate, Scope::of_path("/v1beta/models/gemini-2.5-pro:streamGenerateContent"));
    /// assert_ne!(generate, Scope::of_path("/v1beta/models/gemini-2.5-pro:countTokens"));
    /// ```
    #[must_use]
    pub fn of_path(path: &str) -> Option<Self> {
        if counts_tokens(path) {
            return Some(Self::named(TOKEN_COUNTING));
        }
        model_in_path(path).map(|model| Self::of_deployment(model.as_bytes()))
    }

    /// Returns the scope of the deployment with this name, wherever a request names it.
    ///
    /// ```
    /// use spillover_core::Scope;
    ///
    /// let realtime = Scope::of_deployment("gpt-4o");
    /// assert_eq!(Some(realtime), Scope::of_path("/openai/deployments/gpt-4o/chat/completions"));
    /// ```
    #[must_use]
    pub fn of_deployment(name: impl AsRef<[u8]>) -> Self {
        Self {
            name: hash(name.as_ref()),
            naming: Naming::Deployment,
            ..Self::BACKEND
        }
    }

    /// Returns the scope of a model that a request names in its body, or as `model` in its query. At a backend with a
    /// [model](crate::Backend::model) of its own the scope is that of the backend's model.
    ///
    /// ```
    /// use spillover_core::Scope;
    ///
    /// assert_eq!(Scope::of_model("gpt-4o"), Scope::of_deployment("gpt-4o"));
    /// ```
    #[must_use]
    pub fn of_model(name: impl AsRef<[u8]>) -> Self {
        Self {
            naming: Naming::Model,
            ..Self::of_deployment(name)
        }
    }

    /// Returns this scope for the account that these header fields authenticate. Limits belong to an account: at a
    /// backend that gets the clients' own credentials, the limit of one client says nothing about another's.
    #[must_use]
    pub fn of_client(self, headers: &HeaderMap) -> Self {
        let credential = Credential::CLIENT_FIELDS
            .iter()
            .find_map(|name| headers.get(name));
        Self {
            account: credential.map_or(0, |value| hash(value.as_bytes())),
            ..self
        }
    }

    /// Returns the scope at a backend that replaces credentials or names by its own.
    pub(super) fn at(self, has_credential: bool, own: OwnScopes) -> Self {
        let account = if has_credential { 0 } else { self.account };
        let own = match self.naming {
            Naming::Other => None,
            Naming::Deployment => own.deployment,
            Naming::Model => own.model,
        };
        Self {
            account,
            name: own.map_or(self.name, |own| own.name),
            ..self
        }
    }

    /// Returns true if a limit on this scope is also a limit on the other.
    pub(super) fn covers(self, other: Self) -> bool {
        self == other || self == other.whole()
    }

    /// Returns the scope of the whole backend, for the same account.
    pub(super) fn whole(self) -> Self {
        Self { name: 0, ..self }
    }

    /// Returns a number that is unique to the scope. Zero stands for the whole backend.
    pub(super) fn to_bits(self) -> u64 {
        self.account.rotate_left(32) ^ self.name
    }
}

/// The scopes at a backend that replaces the names of requests by its own.
#[derive(Clone, Copy, Debug)]
pub(super) struct OwnScopes {
    pub(super) deployment: Option<Scope>,
    pub(super) model: Option<Scope>,
}

impl PartialEq for Scope {
    fn eq(&self, other: &Self) -> bool {
        self.to_bits() == other.to_bits()
    }
}

impl Eq for Scope {}

/// No model has this name.
const TOKEN_COUNTING: &str = "\0token counting";

/// Hashes a name or a credential with a random key of this process. Clients choose names, so that a fixed hash could be
/// forged. The hash does not reveal a secret.
fn hash(bytes: &[u8]) -> u64 {
    static KEY: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    KEY.hash_one(bytes).max(1)
}
