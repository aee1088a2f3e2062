use std::sync::Arc;

use http::{
    HeaderMap, HeaderValue,
    header::{
        ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS,
        ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS,
        ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD,
        ORIGIN, VARY,
    },
};

/// Origins whose pages may read responses.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AllowedOrigins {
    /// All origins.
    Any,
    /// The listed origins, e.g. `https://chat.example.com`.
    List(Vec<HeaderValue>),
}

/// Allowed origins, shared by all requests.
#[derive(Clone, Debug)]
pub(super) enum Policy {
    Any,
    List(Arc<[HeaderValue]>),
}

/// Permission of the origin of one request.
#[derive(Debug)]
pub(super) struct Grant {
    /// `None`: pages of the origin may not read the response.
    allow_origin: Option<HeaderValue>,
    /// True when the permission depends on the origin.
    depends_on_origin: bool,
}

impl Policy {
    pub(super) fn new(origins: &AllowedOrigins) -> Self {
        match origins {
            AllowedOrigins::Any => Self::Any,
            AllowedOrigins::List(origins) => Self::List(origins.as_slice().into()),
        }
    }

    pub(super) fn grant(&self, request: &HeaderMap) -> Grant {
        match self {
            Self::Any => Grant {
                allow_origin: Some(ANY),
                depends_on_origin: false,
            },
            Self::List(origins) => {
                let origin = request.get(ORIGIN);
                let listed =
                    origin.and_then(|origin| origins.iter().find(|other| *other == origin));
                Grant {
                    allow_origin: listed.cloned(),
                    depends_on_origin: true,
                }
            }
        }
    }
}

impl Grant {
    /// Writes the fields of a response.
    pub(super) fn write(self, headers: &mut HeaderMap) {
        headers.remove(ACCESS_CONTROL_ALLOW_CREDENTIALS);
        headers.remove(ACCESS_CONTROL_EXPOSE_HEADERS);
        if self.allow_origin.is_some() {
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, ANY);
        }
        if self.depends_on_origin {
            headers.append(VARY, HeaderValue::from_static("origin"));
        }
        self.write_origin(headers);
    }

    /// Writes the fields of the response to a preflight.
    pub(super) fn write_preflight(self, headers: &mut HeaderMap, request: &HeaderMap) {
        if self.allow_origin.is_some() {
            // Names the requested fields, because `*` does not include `authorization`.
            for (allow, asked) in [
                (ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_REQUEST_METHOD),
                (ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_REQUEST_HEADERS),
            ] {
                for value in request.get_all(asked) {
                    headers.append(&allow, value.clone());
                }
            }
            headers.insert(ACCESS_CONTROL_MAX_AGE, TWO_HOURS);
        }
        self.write_origin(headers);
        let varies = "origin, access-control-request-method, access-control-request-headers";
        headers.insert(VARY, HeaderValue::from_static(varies));
    }

    fn write_origin(self, headers: &mut HeaderMap) {
        match self.allow_origin {
            Some(origin) => headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin),
            None => headers.remove(ACCESS_CONTROL_ALLOW_ORIGIN),
        };
    }
}

const ANY: HeaderValue = HeaderValue::from_static("*");

/// Lifetime of a preflight, the longest that Chromium accepts.
const TWO_HOURS: HeaderValue = HeaderValue::from_static("7200");
