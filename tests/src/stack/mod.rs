//! The whole stack of layers in each of its deployments, over backends that play a script on paused time.
//!
//! [`on_every_deployment!`](crate::on_every_deployment!) makes a test for each deployment of each scenario. A scenario
//! builds a [`Stack`], sends requests through it, and looks at what the backends saw and at what is known about them.
//!
//! Where a deployment has connections, they and the servers behind them are real but for the socket: [`settle`] lets what
//! is under way arrive.

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

/// Lets all tasks go on until each waits for time to pass, which it does not here.
pub async fn settle() {
    for _ in 0..TURNS {
        yield_now().await;
    }
}

/// A turn lets every task run that can; what passes through a connection and back takes a few.
const TURNS: usize = 50;

/// Makes tests of each function, which takes a [`Deployment`]: one for every deployment.
#[macro_export]
macro_rules! on_every_deployment {
    ($($scenario:ident)*) => {
        $crate::on_deployments! { [SharedClient PerBackend TonicChannels Gateway] $($scenario)* }
    };
}

/// Makes tests of each function, which takes a [`Deployment`]: one for each of these deployments.
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
