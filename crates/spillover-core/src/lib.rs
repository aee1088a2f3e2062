//! Backends, pools, and the state that decides which backend takes a request *now*.
//!
//! This crate holds the types and the pure logic behind the `tower-spillover` layers. It does no I/O, reads no clock
//! and draws no random number: methods that need the time take `now`, choices take a `draw`.
//!
//! * [`Backend`]: a base URL, a priority, a weight, a credential; built and validated by [`Backend::builder`].
//! * [`Pool`]: backends in tiers of equal priority, with the state of each. [`Pool::select`] draws from the best open
//!   tier, [`Selected::record`] records the outcome of the attempt, and [`Selected::release`] its end.
//!   [`Pool::with_backends`] returns a pool with another list and the same state.
//! * [`Affinity`]: the backend that a request belongs to, by a key or by a label.
//! * [`Strategy`]: the choice among several open backends of a tier: [`Weighted`] or [`PeakEwma`].
//! * [`Classify`] turns an answer into a [`Class`]; [`Cooldowns`] turns class and hint into a cooldown; together they
//!   are the [`Outcome`] of an attempt.
//!
//! ```
//! use std::time::Duration;
//! use spillover_core::{Backend, Outcome, Pool, Query};
//! use tokio::time::Instant;
//!
//! let pool = Pool::new([
//!     Backend::builder("ptu").url("https://ptu.example").priority(1).build()?,
//!     Backend::builder("payg").url("https://payg.example").priority(2).build()?,
//! ])?;
//! let now = Instant::now();
//!
//! let first = pool.select(&Query::new(), now, 0).expect("both are open");
//! assert_eq!(first.backend().label(), "ptu");
//!
//! // It answered 429, come back in two seconds: until then the next tier serves.
//! first.record(&Outcome::throttled(Duration::from_secs(2)), now);
//! assert_eq!(pool.select(&Query::new(), now, 0).expect("one is open").backend().label(), "payg");
//!
//! let later = now + Duration::from_secs(2);
//! assert_eq!(pool.select(&Query::new(), later, 0).expect("both are open").backend().label(), "ptu");
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```
//!
//! # Four kinds of closed
//!
//! A *throttled* backend has said when it takes requests again, and opens fully at that instant. A *failing* backend
//! answered 5xx, timed out or could not be reached; after a cooldown one probe request decides if it opens. When no
//! backend is open, a failing one is tried as a last resort. A throttled one is not.
//!
//! A backend is *suspect* for a scope when the latest three attempts were given up before it began a response
//! ([`Selected::give_up`]). A suspect backend is treated like a failing one: others are asked first, one request at a
//! time probes it, and it is a last resort. A response of any kind ends that.
//!
//! A *full* backend has as many requests in flight as your own limit allows ([`BackendBuilder::max_concurrency`]). The
//! limit is strict. The backend opens when one of its requests ends.

mod backend;
mod class;
mod classify;
mod cooldown;
mod error;
mod late;
mod outcome;
mod pool;

pub use crate::pool::layer;

pub use crate::{
    backend::{Backend, BackendBuilder, BackendKind, Credential},
    class::Class,
    classify::{Answer, Classify, Declined, GrpcClassifier, StatusClassifier},
    cooldown::{Cooldown, Cooldowns},
    error::{InvalidBackend, InvalidPool},
    outcome::Outcome,
    pool::{
        Affinity, Attempts, BackendSnapshot, Candidate, Candidates, Cause, Change, Condition,
        Counts, Exhausted, Opening, PeakEwma, Pool, Query, Recorded, Scope, Selected, Silence,
        Strategy, Turn, Waiter, Weighted, model_in_path,
    },
};

/// The example of the README, which runs with the other tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
#[derive(Debug)]
pub struct Readme;
