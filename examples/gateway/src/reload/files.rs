use std::{
    fs,
    hash::{BuildHasher, RandomState},
    path::PathBuf,
    sync::LazyLock,
};

/// What files hold: equal when that is, whatever their times and links say.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fingerprint(Vec<Option<u64>>);

impl Fingerprint {
    pub(super) fn of(files: &[PathBuf]) -> Self {
        // One hash under a key of this process for each: of secrets, nothing is kept that would help to guess them.
        static KEY: LazyLock<RandomState> = LazyLock::new(RandomState::new);
        let content = |file| fs::read(file).ok().map(|content| KEY.hash_one(content));
        Self(files.iter().map(content).collect())
    }
}
