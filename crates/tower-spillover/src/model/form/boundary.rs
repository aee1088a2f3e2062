use std::sync::Arc;

use http::HeaderValue;

use super::disposition::parameters;

/// The delimiter between the parts of a form. Clones share it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::model) struct Boundary {
    /// The boundary after two hyphens.
    delimiter: Arc<[u8]>,
}

impl Boundary {
    /// Returns the boundary in the `content-type` of a form. `None` if the field has no boundary, more than one, or a boundary
    /// that parsers read differently (RFC 2046 section 5.1.1).
    pub(in crate::model) fn of_content_type(content_type: &HeaderValue) -> Option<Self> {
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

    /// Returns the delimiter, with which a line begins.
    pub(in crate::model) fn delimiter(&self) -> &[u8] {
        &self.delimiter
    }
}

/// Returns true for characters of RFC 2046, and for token characters of RFC 9110, which some clients use in boundaries.
fn is_allowed(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || b"'()+_,-./:=? !#$%&*^`|~{}".contains(byte)
}

const BOUNDARY: &[u8] = b"boundary";

/// RFC 2046 allows 70 characters.
const LONGEST: usize = 70;

#[cfg(test)]
mod tests {
    use super::*;

    fn delimiter(content_type: &str) -> Option<String> {
        let value = HeaderValue::from_str(content_type).unwrap();
        let boundary = Boundary::of_content_type(&value)?;
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
