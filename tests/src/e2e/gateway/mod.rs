//! The gateway as users run it: a process of its own, told what to do by its environment.

mod builder;
mod exit;
mod files;
mod log;
mod process;

pub use self::{builder::GatewayBuilder, exit::Exit, files::Files, process::Gateway};

/// A gateway to be set up and started: a [`GatewayBuilder`] for the program that cargo built beside the test.
#[macro_export]
macro_rules! gateway {
    () => {
        $crate::e2e::GatewayBuilder::new(env!("CARGO_BIN_EXE_spillover-under-test"))
    };
}
