//! The scenarios.

mod contender;
mod many;
mod reload;
mod steady;
mod tls;
mod trouble;

pub(crate) use self::contender::Contender;
use crate::load::Load;

/// One table of the results.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) load: Load,
    pub(crate) contenders: Vec<Contender>,
}

/// All scenarios, in the order of the report.
pub(crate) fn all() -> Vec<Scenario> {
    vec![
        steady::pass_through(),
        steady::fixed_rate(),
        steady::body_1mib(),
        steady::http2(),
        tls::tls_in(),
        tls::tls_handshakes(),
        tls::tls_out(),
        tls::http2_out(),
        steady::backends(),
        steady::two_cores(),
        many::sse(),
        many::idle(),
        trouble::priority_1_throttled(),
        trouble::failover_1mib(),
        trouble::throttle_begins(),
        reload::reload(),
    ]
}
