//! Backends, pools, and the state that decides which backend takes a request *now*.
//!
//! This crate holds the nouns and the pure logic behind the `tower-spillover` layers. It makes no calls, reads no clock
//! and draws no random number: every method that needs the time takes `now`, every choice takes a `draw`.
//!
//! * [`Backend`]: a base URL, a priority, a weight, a credential; built and validated by [`Backend::builder`].
//! * [`Pool`]: backends in tiers of equal priority, and what is known about each. [`Pool::select`] draws from the best
//!   open tier, [`Selected::record`] notes how the attempt went, [`Selected::release`] that it is over.
//!   [`Pool::with_backends`] goes on with another list.
//! * [`Affinity`]: which backend a request belongs to: by a key, or by a label.
//! * [`Strategy`]: which of several open backends of a tier it is: [`Weighted`] or [`PeakEwma`].
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
//! *Throttled* is a promise: the backend said until when, and opens fully at that instant. *Failing* is a guess: it
//! answered 5xx, timed out or could not be reached, and one probe request decides whether it opens. When nothing is open,
//! a backend that is only failing is tried as a last resort; one that is throttled is not.
//!
//! *Suspect* is a guess, too, for one scope: the latest three attempts were given up before the backend began an answer
//! ([`Selected::give_up`]). A suspect backend is treated like one that fails: others are asked first, one request at a time probes it, and it
//! is the last resort. An answer of any kind ends that.
//!
//! *Full* is a limit of one's own ([`BackendBuilder::max_concurrency`]): it holds strictly, and is over when a request ends.

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
        Strategy, Turn, Waiter, Weighted,
    },
};

/// The example of the README, which runs with the other tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
#[derive(Debug)]
pub struct Readme;
