//! Response bodies that more than one layer makes.

#[cfg(any(feature = "in-flight", feature = "limit"))]
mod guarded;
#[cfg(any(feature = "peek", feature = "refusal"))]
mod resumed;
#[cfg(test)]
mod tests;

#[cfg(any(feature = "in-flight", feature = "limit"))]
pub use self::guarded::GuardedBody;
#[cfg(any(feature = "in-flight", feature = "limit"))]
pub(crate) use self::guarded::{Guard, GuardedFuture};
#[cfg(any(feature = "peek", test))]
pub(crate) use self::resumed::Read;
#[cfg(any(feature = "peek", feature = "refusal"))]
pub use self::resumed::ResumedBody;
