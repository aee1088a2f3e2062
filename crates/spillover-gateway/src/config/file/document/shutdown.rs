use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::file::value::Time;
use spillover_serve::Shutdown;

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
