use std::{
    hash::{BuildHasher, RandomState},
    num::NonZeroU64,
    sync::LazyLock,
};

/// What a rate limit applies to within a backend: a deployment, or a model. Two scopes are equal when their names are.
///
/// In the request's extensions it tells which cooldowns matter to the request, and which scope an answer speaks of.
///
/// ```
/// use spillover_core::Scope;
///
/// assert_eq!(Scope::of("gpt-4o"), Scope::of("gpt-4o"));
/// assert_ne!(Scope::of("gpt-4o"), Scope::of("gpt-4.1"));
/// assert_ne!(Scope::of("gpt-4o"), Scope::WHOLE);
///
/// assert_eq!(Scope::of_path("/openai/deployments/gpt-4o/chat/completions"), Some(Scope::of("gpt-4o")));
/// assert_eq!(Scope::of_path("/v1/chat/completions"), None);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Scope(Option<NonZeroU64>);

impl Scope {
    /// The whole backend.
    pub const WHOLE: Self = Self(None);

    /// The scope with this name.
    ///
    /// Names come from clients: they are told apart by a hash under a key of this process, so that none can be made up to
    /// look like another.
    #[must_use]
    pub fn of(name: &str) -> Self {
        static KEY: LazyLock<RandomState> = LazyLock::new(RandomState::new);
        Self(NonZeroU64::new(KEY.hash_one(name).max(1)))
    }

    /// The scope that a path names: the segment after `deployments`, as in the paths of Azure OpenAI.
    #[must_use]
    pub fn of_path(path: &str) -> Option<Self> {
        let mut segments = path.split('/');
        segments.find(|&segment| segment == "deployments")?;
        let deployment = segments.next()?;
        (!deployment.is_empty()).then(|| Self::of(deployment))
    }

    /// Whether a limit on this scope is one on the other.
    pub(super) fn covers(self, other: Self) -> bool {
        self == other || self == Self::WHOLE
    }

    /// A number of its own for each scope; 0 for the whole backend.
    pub(super) fn to_bits(self) -> u64 {
        self.0.map_or(0, NonZeroU64::get)
    }
}
