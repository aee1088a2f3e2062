//! Backends and traffic for a demo of a gateway.
//!
//! ```
//! use std::sync::Arc;
//!
//! use spillover_testing::demo::{Fleet, Traffic};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> std::io::Result<()> {
//! let fleet = Fleet::start().await?;
//! // Without a gateway between, straight to the backend with the first priority.
//! let traffic = Arc::new(Traffic::new(&fleet.members()[0].url()));
//! for _ in 0..2 {
//!     Arc::clone(&traffic).send();
//! }
//! traffic.finish().await;
//! assert_eq!((traffic.answered(), traffic.errors()), (2, 0));
//! assert_eq!(fleet.stats().next().unwrap().served, 2);
//! # Ok(())
//! # }
//! ```

mod fleet;
mod traffic;

pub use self::{
    fleet::{Fleet, Member},
    traffic::{DEPLOYMENT, Traffic},
};
