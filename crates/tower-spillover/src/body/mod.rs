//! Bodies that several layers make.

mod resumed;
#[cfg(test)]
mod tests;

pub(crate) use self::resumed::Read;
pub use self::resumed::ResumedBody;
//! Response bodies that more than one layer needs.

mod guarded;

pub use self::guarded::GuardedBody;
pub(crate) use self::guarded::{Guard, GuardedFuture};
