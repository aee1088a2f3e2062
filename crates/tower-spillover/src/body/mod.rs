//! Bodies that several layers make.

mod resumed;
#[cfg(test)]
mod tests;

pub(crate) use self::resumed::Read;
pub use self::resumed::ResumedBody;
