//! Who may come in: the keys that clients show, and how often each may.
//!
//! With keys configured, a request
//!
//! * gets 401 unless it shows one of them, in a field that clients of LLM APIs put theirs in, in the query or in a
//!   subprotocol of WebSocket;
//! * gets 429, and is told when to come back, beyond the requests per minute of that key;
//! * else loses the key, which no backend is to see, and has the [`Client`] in its extensions, for who decides which pools it
//!   may use. What it shows besides, such as a token for the backend, stays.
//!
//! The layer goes inside the access log, which notes the client and the refusals, and inside [`cors`], so that pages can read
//! the refusals.

mod client;
mod cors;
mod counts;
mod key_ring;
mod layer;
mod open;
mod options;
mod presented;
mod rate;
mod refusal;
mod service;
#[cfg(test)]
mod tests;

pub(crate) use self::options::{ClientKey, Clients, Cors};
pub(crate) use self::{
    client::Client, cors::CorsLayer, counts::Snapshot, key_ring::KeyRing, layer::ClientsLayer,
    open::warn_if_open,
};
