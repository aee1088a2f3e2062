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

use crate::clients::Cors;

/// Whose pages may call.
#[derive(Clone, Debug)]
pub(super) enum Policy {
    AnyOrigin,
    Origins(Arc<[HeaderValue]>),
}

/// What the policy says about the origin of one request.
#[derive(Debug)]
pub(super) struct Grant {
    /// `None`: its pages may not read the response.
    allow_origin: Option<HeaderValue>,
    /// Whether it could have been another one.
    depends_on_origin: bool,
}

impl Policy {
    pub(super) fn new(setting: &Cors) -> Self {
        match setting {
            Cors::AnyOrigin => Self::AnyOrigin,
            Cors::Origins(origins) => Self::Origins(origins.as_slice().into()),
        }
    }

    pub(super) fn grant(&self, request: &HeaderMap) -> Grant {
        match self {
            Self::AnyOrigin => Grant {
                allow_origin: Some(ANY),
                depends_on_origin: false,
            },
            Self::Origins(origins) => {
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
    /// For the response to a request of the page.
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

    /// For the answer to a preflight, which asks whether the page may send what it is about to.
    pub(super) fn write_preflight(self, headers: &mut HeaderMap, request: &HeaderMap) {
        if self.allow_origin.is_some() {
            // `*` would not stand for `authorization`: what it asks for is named.
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

/// As long as Chromium keeps it. A request is checked anew, whatever its preflight said: this is about the time only.
const TWO_HOURS: HeaderValue = HeaderValue::from_static("7200");
