//! Lets the pages of other origins call the gateway (<https://fetch.spec.whatwg.org/#http-cors-protocol>).
//!
//! With the setting
//!
//! * a preflight, which is `OPTIONS` with `origin` and `access-control-request-method`, is answered here: it has no key, and
//!   no backend knows which origins may come. Whatever method and fields it asks for are allowed. Other `OPTIONS` pass;
//! * responses say whether the page may read them, and all of their fields, in place of what a backend said about that.
//!
//! Without it nothing is added, and nothing answered.
//!
//! Nothing here keeps anybody out who is no browser: that is what keys are for. Cookies are of no use to the gateway, so that
//! credentials in the sense of that protocol are not allowed, and `*` can stand for all fields.
//!
//! tower-http's layer would answer every `OPTIONS`, needs bodies with a default, and allocates for each request.

mod future;
mod layer;
mod policy;
mod service;
#[cfg(test)]
mod tests;

pub(crate) use self::layer::CorsLayer;
