//! One endpoint in front of several rate-limited LLM backends.
//!
//! The binary `spillover` reads its [`config`] and serves: every request goes to the best backend that will take it now,
//! and to the next one the instant that one throttles or fails. [`main`] is all of it; [`App`] is the service alone, for who
//! has connections of another kind; the modules show how the layers of `tower-spillover` become a gateway.

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
mod model_scope;
mod read_files;
mod ready;
mod reload;
mod router;
mod rules;
pub mod serve;
mod site;
pub mod tls;
mod upgrade;
mod upstream;

pub use crate::{
    app::{App, Gateway, Settings},
    main_job::main,
};
