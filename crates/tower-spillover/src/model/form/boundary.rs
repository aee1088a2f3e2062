use std::sync::Arc;

use http::HeaderValue;

use super::disposition::parameters;

/// The delimiter between the parts of a form. Clones share it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::model) struct Boundary {
    /// With the two hyphens before it.
    delimiter: Arc<[u8]>,
}

impl Boundary {
    /// Returns the boundary in the `content-type` of a form. `None` if there is none, more than one, or one that parsers read
    /// differently (RFC 2046 section 5.1.1).
    pub(in crate::model) fn of(content_type: &HeaderValue) -> Option<Self> {
        let value = content_type.as_bytes();
        let parameters = parameters(value, true);
        let is_boundary = |name: &[u8]| {
            let start = name.get(..BOUNDARY.len());
            start.is_some_and(|start| start.eq_ignore_ascii_case(BOUNDARY))
        };
        let mut boundaries = parameters.iter().filter(|(name, _)| is_boundary(name));
        let (Some((name, boundary)), None) = (boundaries.next(), boundaries.next()) else {
            return None;
        };
        let is_clear = name.len() == BOUNDARY.len()
            && (1..=LONGEST).contains(&boundary.len())
            && boundary.iter().all(is_allowed)
            && boundary.last() != Some(&b' ');
        is_clear.then(|| Self {
            delimiter: [b"--", boundary.as_slice()].concat().into(),
        })
    }

    /// Returns the delimiter as it stands at the beginning of a line.
    pub(in crate::model) fn delimiter(&self) -> &[u8] {
        &self.delimiter
    }
}

/// Returns true for the characters of RFC 2046, and for those of RFC 9110's tokens, of which some clients make boundaries.
fn is_allowed(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || b"'()+_,-./:=? !#$%&*^`|~{}".contains(byte)
}

const BOUNDARY: &[u8] = b"boundary";

/// RFC 2046 allows 70.
const LONGEST: usize = 70;

#[cfg(test)]
mod tests {
    use super::*;

    fn delimiter(content_type: &str) -> Option<String> {
        let value = HeaderValue::from_str(content_type).unwrap();
        let boundary = Boundary::of(&value)?;
        Some(String::from_utf8(boundary.delimiter().to_vec()).unwrap())
    }

    #[test]
    fn boundary_is_read_from_the_content_type() {
        for (rest, expected) in [
            ("; boundary=xx", Some("--xx")),
            (
                ";charset=utf-8 ;  Boundary=\"a b:c\" ; x=1",
                Some("--a b:c"),
            ),
            (
                "; boundary=----WebKitFormBoundary7MA4YWxkTrZu0gW",
                Some("------WebKitFormBoundary7MA4YWxkTrZu0gW"),
            ),
            ("; boundary=\"a'b\"", Some("--a'b")),
            ("", None),
            ("; boundary=", None),
            ("; boundary=a; boundary=b", None),
            ("; boundary=a; boundary*0=b", None),
            ("; boundary*=utf-8''a", None),
            ("; boundary=\"a\\\"b\"", None),
            ("; boundary=\"a \"", None),
            ("; x=\";boundary=a\"", None),
        ] {
            let content_type = format!("multipart/form-data{rest}");
            assert_eq!(delimiter(&content_type).as_deref(), expected, "{rest}");
        }
        let long = "x".repeat(71);
        assert_eq!(
            delimiter(&format!("multipart/form-data; boundary={long}")),
            None
        );
        assert!(delimiter(&format!("multipart/form-data; boundary={}", &long[1..])).is_some());
    }
}
