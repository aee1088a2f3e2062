use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::file::value::{Size, Time};
use spillover_serve::Connections;

/// What connections of clients may take.
#[derive(Clone, Deserialize, JsonSchema, Serialize)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Connections")]
pub(crate) struct ConnectionsTable {
    /// How many at one time, on all listeners. Beyond it, new ones wait to be accepted.
    pub(crate) max: u32,
    /// For a whole head, from its first byte, and for the TLS handshake.
    pub(crate) head_timeout: Time,
    /// Without a request.
    pub(crate) idle_timeout: Time,
    /// For the next bytes of a request body.
    pub(crate) body_timeout: Time,
    /// For the client to take the next bytes of a response.
    pub(crate) write_timeout: Time,
    /// Of a request head, at most.
    pub(crate) head_size: Size,
    /// Fields of a request head, at most.
    pub(crate) head_fields: u32,
}

impl Default for ConnectionsTable {
    fn default() -> Self {
        let Connections {
            max,
            head_timeout,
            idle_timeout,
            body_timeout,
            write_timeout,
            head_bytes,
            head_fields,
        } = Connections::default();
        Self {
            max: u32::try_from(max).unwrap_or(u32::MAX),
            head_timeout: Time(head_timeout),
            idle_timeout: Time(idle_timeout),
            body_timeout: Time(body_timeout),
            write_timeout: Time(write_timeout),
            head_size: Size(head_bytes as u64),
            head_fields: u32::try_from(head_fields).unwrap_or(u32::MAX),
        }
    }
}
