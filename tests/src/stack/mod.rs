//! The whole stack of layers in both of its deployments, over backends that play a script on paused time.
//!
//! [`on_both_deployments!`](crate::on_both_deployments!) makes two tests of each scenario. A scenario builds a [`Stack`],
//! sends requests through it, and looks at what the backends saw and at what is known about them.

#![expect(
    clippy::missing_panics_doc,
    clippy::unwrap_used,
    reason = "it panics wherever the test is to fail"
)]

mod answer;
mod backends;
mod service;

use std::time::Duration;

pub use self::{
    answer::Answer,
    backends::{Backends, Reply, Seen},
    service::{Deployment, HttpService, Stack, StackBuilder, per_backend, shared_client},
};

/// One second.
pub const SECOND: Duration = Duration::from_secs(1);

/// Makes two tests of each function, which takes a [`Deployment`].
#[macro_export]
macro_rules! on_both_deployments {
    ($($scenario:ident)*) => {
        mod over_a_shared_client {
            $(
                #[tokio::test(start_paused = true)]
                async fn $scenario() {
                    super::$scenario($crate::stack::Deployment::SharedClient).await;
                }
            )*
        }

        mod over_a_client_per_backend {
            $(
                #[tokio::test(start_paused = true)]
                async fn $scenario() {
                    super::$scenario($crate::stack::Deployment::PerBackend).await;
                }
            )*
        }
    };
}
