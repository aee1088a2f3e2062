//! What the tests of the gateway and those of the whole stack of layers share.

pub mod e2e;
pub mod stack;
