use http::{HeaderMap, HeaderValue, header::COOKIE};

/// A cookie for a client that has none ([RFC 6265, section 4.1](https://www.rfc-editor.org/rfc/rfc6265#section-4.1)).
#[derive(Debug)]
pub(super) struct NewCookie {
    id: String,
    field: Option<HeaderValue>,
}

impl NewCookie {
    /// Creates a cookie with a random value.
    pub(super) fn new(name: &str, draw: u64) -> Self {
        let id = format!("{draw:016x}");
        // `HttpOnly`: scripts of a page do not need the cookie. `SameSite`: other sites must not send it.
        let field = format!("{name}={id}; Path=/; HttpOnly; SameSite=Lax");
        Self {
            field: field.try_into().ok(),
            id,
        }
    }

    /// Returns the value, which is the affinity key.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// Returns the value of `set-cookie`. `None` if the name is not allowed in a header field.
    pub(super) fn into_field(self) -> Option<HeaderValue> {
        self.field
    }
}

/// Returns the value of a request's cookie, unless it is empty.
pub(super) fn find<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a [u8]> {
    let fields = headers.get_all(COOKIE).into_iter();
    // Other cookies may have bytes that are not ASCII. Browsers send them as they were set.
    let mut pairs = fields.flat_map(|field| field.as_bytes().split(|&byte| byte == b';'));
    pairs.find_map(|pair| {
        let (key, value) = pair.split_at(memchr::memchr(b'=', pair)?);
        let value = value[1..].trim_ascii();
        (key.trim_ascii() == name.as_bytes() && !value.is_empty()).then_some(value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookie_is_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, HeaderValue::from_static("a=1; ab=2;c"));
        headers.append(COOKIE, HeaderValue::from_static("b= 3 ; empty="));
        assert_eq!(find(&headers, "a"), Some(&b"1"[..]));
        assert_eq!(find(&headers, "b"), Some(&b"3"[..]));
        assert_eq!(find(&headers, "c"), None);
        assert_eq!(find(&headers, "empty"), None);
    }

    #[test]
    fn other_cookies_may_be_malformed() {
        let mut headers = HeaderMap::new();
        let field = "name=Zo\u{eb}; =; ;; a=x=y;home=1".as_bytes();
        headers.append(COOKIE, HeaderValue::from_bytes(field).unwrap());
        assert_eq!(find(&headers, "home"), Some(&b"1"[..]));
        assert_eq!(find(&headers, "a"), Some(&b"x=y"[..]));
        assert_eq!(find(&headers, ""), None);
    }

    #[test]
    fn new_cookie_has_the_id_of_its_draw() {
        let cookie = NewCookie::new("home", 0xab);
        assert_eq!(cookie.id(), "00000000000000ab");
        let field = cookie.into_field().unwrap();
        assert_eq!(
            field,
            "home=00000000000000ab; Path=/; HttpOnly; SameSite=Lax"
        );
    }
}
