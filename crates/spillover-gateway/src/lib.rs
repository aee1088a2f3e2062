//! One endpoint in front of several rate-limited LLM backends.
//!
//! The binary `spillover` reads its [`config`] and serves: each request goes to the best backend that will take it now, and
//! to the next one the instant that one throttles or fails.
//!
//! * [`main`] runs the whole program.
//! * [`App`] is the gateway as a Tower service, e.g. for connections of another kind.

mod admin;
mod app;
mod command;
pub mod config;
mod demo;

pub mod entra;
mod exposure;
mod health;
mod local_endpoints;
mod log;
mod ready;
mod reloadable;
mod request_id;
mod router;
mod run;
mod runtime;

pub use crate::{
    app::{App, Settings},
    run::main,
};
