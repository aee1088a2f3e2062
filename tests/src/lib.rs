//! Shared parts of the tests of the gateway and of the whole stack of layers.

pub mod e2e;
pub mod entra;
pub mod examples;
pub mod grpc;
pub mod stack;
pub mod tools;

/// Runs the README's examples as tests.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
#[derive(Debug)]
pub struct Readme;
