use crate::{Dimension, value::decimal::Decimal};

/// What the fields say besides counts and waits.
#[derive(Debug, Default)]
pub(crate) struct Signs<'a> {
    pub(crate) date: Option<&'a [u8]>,
    pub(crate) utilization: Option<&'a [u8]>,
    /// `x-should-retry`, which the SDKs of OpenAI and Anthropic obey, or a negative gRPC pushback.
    pub(crate) should_retry: Option<bool>,
    pub(crate) error_type: Option<&'a [u8]>,
    pub(crate) throttle_reason: Option<&'a [u8]>,
    /// The proxy in front counts by itself, and its limit is the one that was hit.
    pub(crate) is_proxy_limit: bool,
    pub(crate) is_overloaded: bool,
    pub(crate) grpc_status: Option<&'a [u8]>,
    pub(crate) grpc_message: Option<&'a [u8]>,
    pub(crate) grpc_details: Option<&'a [u8]>,
}

impl Signs<'_> {
    /// How much of a deployment is in use, in percent.
    pub(crate) fn utilization(&self) -> Option<f32> {
        percentage(self.utilization?)
    }

    /// A retry that one line forbids stays forbidden.
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

/// The dimension in an Azure policy such as `DeploymentRatelimit-Token`.
pub(crate) fn policy_dimension(value: &[u8]) -> Option<Dimension> {
    let value = value.trim_ascii();
    let at = value.iter().rposition(|byte| *byte == b'-')?;
    Dimension::named(&value[at + 1..])
}

fn percentage(value: &[u8]) -> Option<f32> {
    let value = value.trim_ascii();
    let number = Decimal::parse(value.strip_suffix(b"%").unwrap_or(value))?;
    // A millionth of a percent is enough, and six digits are all that a `f32` has.
    let millionths = number.times(1_000_000);
    (millionths < 1_000_000_000_000).then(|| (millionths as f64 / 1e6) as f32)
}
