use http::Request;

/// Decides which requests may be sent twice. Closures implement it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not decide about requests with the body `{ReqBody}`",
    label = "not a `Filter`",
    note = "bring a closure that names the type of its argument: `|request: &Request<{ReqBody}>| true`; the body is that which `RetryThrottled` makes"
)]
pub trait Filter<ReqBody> {
    /// Returns true if this request may be sent twice.
    fn allows(&self, request: &Request<ReqBody>) -> bool;
}

#[diagnostic::do_not_recommend]
impl<F, ReqBody> Filter<ReqBody> for F
where
    F: Fn(&Request<ReqBody>) -> bool,
{
    fn allows(&self, request: &Request<ReqBody>) -> bool {
        self(request)
    }
}

/// Allows all requests.
#[derive(Clone, Copy, Debug, Default)]
pub struct EveryRequest {
    _priv: (),
}

impl<ReqBody> Filter<ReqBody> for EveryRequest {
    fn allows(&self, _: &Request<ReqBody>) -> bool {
        true
    }
}
