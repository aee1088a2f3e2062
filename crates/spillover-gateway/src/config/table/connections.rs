use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use spillover_serve::{Connections, Shutdown};

use super::Check;
use crate::config::{
    file::Path,
    value::{Size, Time},
};

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

/// How the gateway stops.
#[derive(Clone, Deserialize, JsonSchema, Serialize)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Shutdown")]
pub(crate) struct ShutdownTable {
    /// For how long it goes on accepting connections while it says that it is not ready: load balancers notice meanwhile.
    pub(crate) delay: Time,
    /// For how long the requests under way then may go on.
    pub(crate) deadline: Time,
}

impl Default for ShutdownTable {
    fn default() -> Self {
        let Shutdown { delay, deadline } = Shutdown::default();
        Self {
            delay: Time(delay),
            deadline: Time(deadline),
        }
    }
}

impl Check<'_> {
    pub(super) fn connections(&mut self, path: &Path, table: &ConnectionsTable) -> Connections {
        let at_least_one = "a whole number of at least 1";
        let max = self.within(&path.key("max"), table.max, &(1..=u32::MAX), at_least_one);
        // Less than that hyper does not read with.
        let Size(head_size) = table.head_size;
        let head_bytes = self.within(
            &path.key("head_size"),
            head_size,
            &(8 * Size::KIB..=16 * Size::MIB),
            "a size from 8KiB to 16MiB",
        );
        let head_fields = self.within(
            &path.key("head_fields"),
            table.head_fields,
            &(1..=10_000),
            "a whole number from 1 to 10000",
        );
        Connections {
            max: usize::try_from(max).unwrap_or(usize::MAX),
            head_timeout: self.timeout(&path.key("head_timeout"), table.head_timeout),
            idle_timeout: self.timeout(&path.key("idle_timeout"), table.idle_timeout),
            body_timeout: self.timeout(&path.key("body_timeout"), table.body_timeout),
            write_timeout: self.timeout(&path.key("write_timeout"), table.write_timeout),
            head_bytes: usize::try_from(head_bytes).unwrap_or(usize::MAX),
            head_fields: usize::try_from(head_fields).unwrap_or(usize::MAX),
        }
    }

    pub(super) fn shutdown(&mut self, path: &Path, table: &ShutdownTable) -> Shutdown {
        Shutdown {
            delay: self.pause(&path.key("delay"), table.delay),
            deadline: self.pause(&path.key("deadline"), table.deadline),
        }
    }
}
