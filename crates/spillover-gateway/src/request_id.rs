//! Ids of requests.

use http::{HeaderName, HeaderValue, Request};
use tower_http::request_id::{MakeRequestId, RequestId};
use tower_spillover::select::Draw;
use uuid::Builder;

/// Makes a random UUID for each request without an id.
#[derive(Clone, Debug)]
pub(crate) struct RandomId<D>(pub(crate) D);

impl<D: Draw> MakeRequestId for RandomId<D> {
    fn make_request_id<B>(&mut self, _: &Request<B>) -> Option<RequestId> {
        let bits = u128::from(self.0.draw()) << 64 | u128::from(self.0.draw());
        let id = Builder::from_random_bytes(bits.to_be_bytes()).into_uuid();
        let mut text = [0; 36];
        let text = id.hyphenated().encode_lower(&mut text);
        HeaderValue::from_str(text).ok().map(RequestId::new)
    }
}

/// Removes an `x-request-id` that is not one value of 1 to 128 visible ASCII characters, so that a new one is made. The id
/// is written to the log and sent to backends.
pub(crate) fn remove_bad_id<B>(mut request: Request<B>) -> Request<B> {
    let mut values = request.headers().get_all(X_REQUEST_ID).iter();
    let is_good = match (values.next(), values.next()) {
        (None, _) => true,
        (Some(id), None) => {
            (1..=128).contains(&id.len()) && id.as_bytes().iter().all(u8::is_ascii_graphic)
        }
        (Some(_), Some(_)) => false,
    };
    if !is_good {
        request.headers_mut().remove(X_REQUEST_ID);
    }
    request
}

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn id_is_a_random_uuid() {
        let mut make = RandomId(|| 0x0123_4567_89ab_cdef);
        let id = make.make_request_id(&Request::new(())).unwrap();
        let id = id.into_header_value();
        // Version 4 and the variant of RFC 9562 section 5.4 are set.
        assert_eq!(id, "01234567-89ab-4def-8123-456789abcdef");
    }

    #[test]
    fn id_of_a_client_is_kept_if_it_is_short_and_visible() {
        let longest = "x".repeat(128);
        for id in ["1", "req_2bQ/+=", &longest] {
            let request = Request::get("/").header(X_REQUEST_ID, id).body(()).unwrap();
            assert_eq!(remove_bad_id(request).headers()[X_REQUEST_ID], id);
        }
        let too_long = "x".repeat(129);
        for ids in [&[""][..], &["a b"], &["a\tb"], &[&too_long], &["a", "a"]] {
            let mut request = Request::get("/");
            for id in ids {
                request = request.header(X_REQUEST_ID, *id);
            }
            let request = remove_bad_id(request.body(()).unwrap());
            assert!(!request.headers().contains_key(X_REQUEST_ID), "{ids:?}");
        }
    }
}
