//! The whole stack of layers in each of its deployments, over backends that play a script on paused time.
//!
//! [`on_every_deployment!`](crate::on_every_deployment!) makes one test per scenario and deployment. A scenario builds
//! a [`Stack`], sends requests through it, and checks what the backends received and the state of the pool.
//!
//! Deployments with connections use real HTTP over in-memory pipes; [`settle`] lets pending data arrive.

#![expect(
    clippy::missing_panics_doc,
    clippy::unwrap_used,
    reason = "it panics wherever the test is to fail"
)]

mod answer;
mod backends;
mod deployment;
mod in_flight;
mod reply;
mod service;
#[cfg(test)]
mod tests;
mod wire;

use std::time::Duration;

use tokio::task::yield_now;

pub use self::{
    answer::Answer,
    backends::{Backends, Seen},
    deployment::{Deployment, HttpService, gateway, per_backend, shared_client, tonic_channels},
    reply::Reply,
    service::{Stack, StackBuilder},
};

/// One second.
pub const SECOND: Duration = Duration::from_secs(1);

/// Lets all tasks run until each waits for time to pass. Time does not pass here.
pub async fn settle() {
    for _ in 0..TURNS {
        yield_now().await;
    }
}

/// One turn runs every task that can run. Passing through a connection and back takes a few.
const TURNS: usize = 50;

/// Makes one test per deployment of each function, which takes a [`Deployment`].
#[macro_export]
macro_rules! on_every_deployment {
    ($($scenario:ident)*) => {
        $crate::on_deployments! { [SharedClient PerBackend TonicChannels Gateway] $($scenario)* }
    };
}

/// Makes one test per listed deployment of each function, which takes a [`Deployment`].
#[macro_export]
macro_rules! on_deployments {
    (@ $scenario:ident [$($deployment:ident)*]) => {
        $($crate::on_deployments! { @ $scenario $deployment })*
    };
    (@ $scenario:ident SharedClient) => {
        $crate::on_deployments! { @ $scenario over_a_shared_client SharedClient }
    };
    (@ $scenario:ident PerBackend) => {
        $crate::on_deployments! { @ $scenario over_a_client_per_backend PerBackend }
    };
    (@ $scenario:ident TonicChannels) => {
        $crate::on_deployments! { @ $scenario over_tonic_channels TonicChannels }
    };
    (@ $scenario:ident Gateway) => {
        $crate::on_deployments! { @ $scenario through_the_gateway Gateway }
    };
    (@ $scenario:ident $test:ident $deployment:ident) => {
        #[tokio::test(start_paused = true)]
        async fn $test() {
            super::$scenario($crate::stack::Deployment::$deployment).await;
        }
    };
    ($deployments:tt $($scenario:ident)*) => {
        $(
            mod $scenario {
                $crate::on_deployments! { @ $scenario $deployments }
            }
        )*
    };
}
