//! Tests of the gateway as a process: clients, the gateway and mock upstreams on loopback connections.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod admin;
mod affinity;
mod bounds;
mod burst;
mod client_keys;
mod clients;
mod config;
mod config_file;
mod connections;
mod dialects;
mod drain;
mod embedding;
mod entra;
mod entra_endpoint;
mod examples;
mod exhausted;
mod failover;
mod final_response;
mod first_token;
mod golden;
mod hanging;
mod headers;
mod hedge;
mod http;
mod kinds;

mod late_errors;
mod lifecycle;
mod log;
mod memory;
mod models;
mod no_loss;
mod openai_sdk;
mod pools;
mod proxying;
mod real_servers;
mod reload;
mod reload_files;
mod replay;
mod slow_clients;
mod streaming;
mod tls;
mod tls_in;
mod uploads;
mod websocket;
mod websocket_spill;
