//! What single values of the file look like. A refusal says what was expected and holds no value.

mod class;
mod credential;
mod exhausted;
mod kind;
mod limit;
mod protocol;
mod secret;
mod size;
mod text;
mod time;

pub(crate) use self::{
    class::ClassWord,
    credential::{CredentialHeader, CredentialTable},
    exhausted::Exhausted,
    kind::KindWord,
    limit::Limit,
    secret::Secret,
    size::Size,
    time::Time,
};
