use http::{HeaderMap, HeaderValue, header::COOKIE};

/// A cookie for a client that has none (RFC 6265 section 4.1).
#[derive(Debug)]
pub(super) struct NewCookie {
    id: String,
    field: Option<HeaderValue>,
}

impl NewCookie {
    pub(super) fn new(name: &str, draw: u64) -> Self {
        let id = format!("{draw:016x}");
        // No script of a page needs it, and no other site shall send it.
        let field = format!("{name}={id}; Path=/; HttpOnly; SameSite=Lax");
        Self {
            field: field.try_into().ok(),
            id,
        }
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn into_field(self) -> Option<HeaderValue> {
        self.field
    }
}

/// The value of a request's cookie.
pub(super) fn find<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let fields = headers.get_all(COOKIE).into_iter();
    let mut pairs = fields
        .filter_map(|field| field.to_str().ok())
        .flat_map(|field| field.split(';'));
    let value = pairs.find_map(|pair| {
        let (key, value) = pair.split_once('=')?;
        (key.trim() == name).then(|| value.trim())
    });
    value.filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, HeaderValue::from_static("a=1; ab=2;c"));
        headers.append(COOKIE, HeaderValue::from_static("b= 3 ; empty="));
        assert_eq!(find(&headers, "a"), Some("1"));
        assert_eq!(find(&headers, "b"), Some("3"));
        assert_eq!(find(&headers, "c"), None);
        assert_eq!(find(&headers, "empty"), None);
    }

    #[test]
    fn a_new_one_has_its_id() {
        let cookie = NewCookie::new("home", 0xab);
        assert_eq!(cookie.id(), "00000000000000ab");
        let field = cookie.into_field().unwrap();
        assert_eq!(
            field,
            "home=00000000000000ab; Path=/; HttpOnly; SameSite=Lax"
        );
    }
}
