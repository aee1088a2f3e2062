//! Finishes the responses of a pool: chooses what a client reads when no backend served its request, and adds the fields that
//! the configuration wants in responses.
//!
//! * When backends refused for different reasons and one of them takes requests again by itself, the client gets a 429 in its
//!   own format with the time at which the pool opens. For example, the first backend is at its rate limit, the second does not
//!   accept the gateway's key; the client gets 429 and not 401.
//! * A refusal about the gateway's own credential or bill becomes that 429 as well when a backend that was not asked is full, or
//!   closed because of a limit.
//! * Otherwise a refusal about the gateway's own credential or bill keeps its status and loses the backend's words, which may quote a key
//!   or name an account.
//! * Every other refusal passes in the backend's words.
//!
//! Errors of the gateway's own get their body here, in the format of the client. The fields are added to every response, such as
//! `x-spillover-backend`.

mod future;
mod layer;
mod service;
#[cfg(test)]
mod tests;
mod words;

use self::future::ResponseFuture;
pub(crate) use self::{layer::LastWordLayer, words::all_closed};
