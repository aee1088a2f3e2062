use crate::{Dimension, value::decimal::Decimal};

/// Signals other than counts and waits.
#[derive(Debug, Default)]
pub(crate) struct Signals<'a> {
    pub(crate) date: Option<&'a [u8]>,
    pub(crate) utilization: Option<&'a [u8]>,
    /// `x-should-retry`, which the SDKs of OpenAI and Anthropic obey, or false for a negative gRPC pushback.
    pub(crate) should_retry: Option<bool>,
    pub(crate) error_type: Option<&'a [u8]>,
    pub(crate) throttle_reason: Option<&'a [u8]>,
    /// True if a proxy in front has its own limit, and that one was hit.
    pub(crate) is_proxy_limit: bool,
    pub(crate) is_overloaded: bool,
    pub(crate) grpc_status: Option<&'a [u8]>,
    pub(crate) grpc_message: Option<&'a [u8]>,
    pub(crate) grpc_details: Option<&'a [u8]>,
}

impl Signals<'_> {
    /// Returns the utilization of a deployment in percent.
    pub(crate) fn utilization(&self) -> Option<f32> {
        percentage(self.utilization?)
    }

    /// Adds a value of `x-should-retry`. If one line forbids a retry, it stays forbidden.
    pub(crate) fn push_should_retry(&mut self, value: &[u8]) {
        let said = match value.trim_ascii() {
            value if value.eq_ignore_ascii_case(b"true") => true,
            value if value.eq_ignore_ascii_case(b"false") => false,
            _ => return,
        };
        self.should_retry = Some(said && self.should_retry != Some(false));
    }
}

pub(crate) fn is_true(value: &[u8]) -> bool {
    let value = value.trim_ascii();
    value.eq_ignore_ascii_case(b"true") || value == b"1"
}

/// Returns the dimension in an Azure policy, e.g. `DeploymentRatelimit-Token`.
pub(crate) fn policy_dimension(value: &[u8]) -> Option<Dimension> {
    let value = value.trim_ascii();
    let at = value.iter().rposition(|byte| *byte == b'-')?;
    Dimension::named(&value[at + 1..])
}

fn percentage(value: &[u8]) -> Option<f32> {
    let value = value.trim_ascii();
    let number = Decimal::parse(value.strip_suffix(b"%").unwrap_or(value))?;
    // Millionths are enough: an `f32` has about six digits.
    let millionths = number.times(1_000_000);
    (millionths < 1_000_000_000_000).then(|| (millionths as f64 / 1e6) as f32)
}
