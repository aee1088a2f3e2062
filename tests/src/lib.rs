//! What the tests of the gateway and those of the whole stack of layers share.

pub mod e2e;
pub mod entra;
pub mod examples;
pub mod grpc;
pub mod stack;
pub mod tools;

/// The examples of the README, which run with the other tests.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
#[derive(Debug)]
pub struct Readme;
