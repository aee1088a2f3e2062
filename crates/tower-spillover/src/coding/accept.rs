use http::{HeaderMap, HeaderValue, header::ACCEPT_ENCODING};

use super::Coding;

/// Takes from a request's `accept-encoding` (RFC 9110 section 12.5.3) the codings that are not [read](Coding), so that no
/// response comes in one. `*` gives way to those that it stands for.
///
/// | before | after |
/// |---|---|
/// | `gzip, deflate, br, zstd` | the same |
/// | `br;q=0.5, dcb, gzip` | `br;q=0.5, gzip` |
/// | `*;q=0.1, gzip` | `gzip, deflate;q=0.1, br;q=0.1, zstd;q=0.1` |
/// | `compress` | `identity` |
///
/// A request without the field is left as it is: without it servers use no coding. In the usual case nothing is allocated.
pub fn offer_readable(headers: &mut HeaderMap) {
    let mut values = headers.get_all(ACCEPT_ENCODING).iter();
    if values.all(is_readable) {
        return;
    }
    let readable = readable(headers);
    headers.insert(ACCEPT_ENCODING, readable);
}

/// Returns whether a line of the field names only codings that are read.
fn is_readable(value: &HeaderValue) -> bool {
    let is_usual = USUAL.contains(&value.as_bytes());
    is_usual || members(value).all(|member| member.is_readable())
}

/// Returns the field without the codings that this crate cannot decode.
fn readable(headers: &HeaderMap) -> HeaderValue {
    let all = || headers.get_all(ACCEPT_ENCODING).iter().flat_map(members);
    let mut kept: Vec<u8> = Vec::new();
    let mut keep = |name: &[u8], parameters: &[u8]| {
        if !kept.is_empty() {
            kept.extend(b", ");
        }
        kept.extend(name);
        kept.extend(parameters);
    };
    for member in all().filter(Member::is_readable) {
        keep(member.name, member.parameters);
    }
    if let Some(any) = all().find(|member| member.name == b"*" && !member.is_refused()) {
        for name in Coding::READABLE.split(", ") {
            let is_named = all().any(|member| member.name.eq_ignore_ascii_case(name.as_bytes()));
            if !is_named {
                keep(name.as_bytes(), any.parameters);
            }
        }
    }
    let value = (!kept.is_empty()).then(|| HeaderValue::from_bytes(&kept).ok());
    value
        .flatten()
        .unwrap_or_else(|| HeaderValue::from_static("identity"))
}

/// A coding and what is said of it.
struct Member<'a> {
    name: &'a [u8],
    /// The parameters from the semicolon on; empty if there are none.
    parameters: &'a [u8],
}

fn members(value: &HeaderValue) -> impl Iterator<Item = Member<'_>> {
    let members = value.as_bytes().split(|byte| *byte == b',');
    members.map(|member| {
        let end = member.iter().position(|byte| *byte == b';');
        let (name, parameters) = member.split_at(end.unwrap_or(member.len()));
        Member {
            name: name.trim_ascii(),
            parameters: parameters.trim_ascii_end(),
        }
    })
}

impl Member<'_> {
    /// Returns whether every response that the item allows can be read.
    fn is_readable(&self) -> bool {
        let is_plain = self.name.is_empty() || self.name.eq_ignore_ascii_case(b"identity");
        is_plain || Coding::named(self.name).is_some() || self.is_refused()
    }

    /// Returns whether the client refuses the coding, by a weight of zero.
    fn is_refused(&self) -> bool {
        let weight = self.parameters.trim_ascii_start().strip_prefix(b";");
        let weight = weight.unwrap_or_default().trim_ascii();
        let Some([b'q' | b'Q', b'=', number @ ..]) = Some(weight) else {
            return false;
        };
        number.starts_with(b"0") && number.iter().all(|byte| matches!(byte, b'0' | b'.'))
    }
}

/// Lines that SDKs and browsers send, so that they need not be taken apart: of httpx, with and without the packages for br and
/// zstd, of curl, of `fetch` in Node, and of Go.
const USUAL: [&[u8]; 5] = [
    b"gzip, deflate, br, zstd",
    b"gzip, deflate, br",
    b"gzip, deflate",
    b"br, gzip, deflate",
    b"gzip",
];
