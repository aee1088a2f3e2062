//! One endpoint in front of several rate-limited LLM backends.
//!
//! The binary `spillover` reads its [`config`] and serves: each request goes to the best backend that will take it now, and
//! to the next one the instant that one throttles or fails.
//!
//! * [`main`] runs the whole program.
//! * [`App`] is the gateway as a Tower service, e.g. for connections of another kind.

mod access_log;
mod admin;
mod affinity;
mod answer;
mod app;
mod bounds;
mod client;
mod clients;
mod command;
pub mod config;
mod demo;
mod dialect;
pub mod entra;
mod front;
mod health;
mod hop_by_hop;
mod idle;
mod last_word;
mod live;
mod log;
mod main_job;
mod model;
mod read_files;
mod ready;
mod reload;
mod router;
mod rules;
mod site;
mod upgrade;
mod upstream;

pub use crate::{
    app::{App, Settings},
    main_job::main,
};
