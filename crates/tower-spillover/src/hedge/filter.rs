use http::Request;

/// Decides which requests may be sent twice. Closures implement it.
pub trait Filter<ReqBody> {
    /// Whether this one may be.
    fn allows(&self, request: &Request<ReqBody>) -> bool;
}

impl<F, ReqBody> Filter<ReqBody> for F
where
    F: Fn(&Request<ReqBody>) -> bool,
{
    fn allows(&self, request: &Request<ReqBody>) -> bool {
        self(request)
    }
}

/// All of them.
#[derive(Clone, Copy, Debug, Default)]
pub struct EveryRequest {
    _priv: (),
}

impl<ReqBody> Filter<ReqBody> for EveryRequest {
    fn allows(&self, _: &Request<ReqBody>) -> bool {
        true
    }
}
