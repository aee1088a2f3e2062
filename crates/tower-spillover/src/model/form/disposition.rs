//! Reads the name of a part from its head (RFC 7578 section 4.2).

/// The name of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Name {
    Model,
    Other,
    /// Parsers read the head differently, and some of them read the name as `model`.
    Unclear,
}

/// Returns the name of a part. `head` has the lines of its head with their line breaks.
pub(super) fn part_name(head: &[u8]) -> Name {
    let lines = head.split(|&byte| byte == b'\n');
    let lines: Vec<&[u8]> = lines
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
        .collect();
    // A folded line continues the line before (RFC 5322 section 2.2.3). Some parsers read a CR alone as a line break.
    if lines.iter().any(|line| is_folded(line)) {
        return Name::Unclear;
    }
    let mut name = None;
    let mut is_encoded = false;
    for (field, value) in lines.into_iter().filter_map(field) {
        if field.eq_ignore_ascii_case(b"content-disposition") {
            let this = name_of_disposition(value);
            // Parsers differ in which of two fields they use.
            name = Some(name.map_or(
                this,
                |before| if before == this { this } else { Name::Unclear },
            ));
        } else if field.eq_ignore_ascii_case(b"content-transfer-encoding") {
            is_encoded |= !PLAIN.iter().any(|plain| value.eq_ignore_ascii_case(plain));
        }
    }
    match name.unwrap_or(Name::Other) {
        Name::Model if is_encoded => Name::Unclear,
        name => name,
    }
}

fn is_folded(line: &[u8]) -> bool {
    line.first().is_some_and(|byte| b" \t".contains(byte)) || line.contains(&b'\r')
}

/// Splits a field into its name and value.
fn field(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = memchr::memchr(b':', line)?;
    Some((line[..colon].trim_ascii(), line[colon + 1..].trim_ascii()))
}

/// Returns the name in a `content-disposition`. A backslash in quotes is an escape to some parsers only: browsers
/// write `%22` for a quote (<https://html.spec.whatwg.org/#multipart-form-data>).
fn name_of_disposition(value: &[u8]) -> Name {
    let (escaped, literal) = (
        name_with_escapes(value, true),
        name_with_escapes(value, false),
    );
    if escaped == literal {
        escaped
    } else {
        Name::Unclear
    }
}

fn name_with_escapes(value: &[u8], has_escapes: bool) -> Name {
    let (mut models, mut others) = (0, 0);
    for (parameter, value) in parameters(value, has_escapes) {
        // `name*` and `name*0` (RFC 2231, RFC 8187) must not be used in forms. Parsers of mail read them.
        if parameter.len() > NAME.len() && parameter[..NAME.len()].eq_ignore_ascii_case(NAME) {
            if parameter[NAME.len()] == b'*' {
                return Name::Unclear;
            }
        } else if parameter.eq_ignore_ascii_case(NAME) {
            let is_model = value.trim_ascii().eq_ignore_ascii_case(b"model");
            *if is_model { &mut models } else { &mut others } += 1;
        }
    }
    match (models, others) {
        (0, _) => Name::Other,
        (1, 0) => Name::Model,
        _ => Name::Unclear,
    }
}

/// Returns the parameters of a field such as `content-type` or `content-disposition` (RFC 9110 section 5.6.6), without the
/// quotes. Other text between two semicolons is ignored.
pub(super) fn parameters(value: &[u8], has_escapes: bool) -> Vec<(&[u8], Vec<u8>)> {
    let mut parameters = Vec::new();
    let mut rest = value;
    while let Some(at) = memchr::memchr(b';', rest) {
        rest = rest[at + 1..].trim_ascii_start();
        let end = memchr::memchr2(b'=', b';', rest).unwrap_or(rest.len());
        let name = rest[..end].trim_ascii();
        let Some(after) = rest[end..].strip_prefix(b"=") else {
            rest = &rest[end..];
            continue;
        };
        let after = after.trim_ascii_start();
        let (value, after) = match after.strip_prefix(b"\"") {
            Some(quoted) => unquoted(quoted, has_escapes),
            None => {
                let end = memchr::memchr(b';', after).unwrap_or(after.len());
                (after[..end].trim_ascii().to_vec(), &after[end..])
            }
        };
        parameters.push((name, value));
        rest = after;
    }
    parameters
}

/// Returns the text up to the closing quote, and the text after it.
fn unquoted(text: &[u8], has_escapes: bool) -> (Vec<u8>, &[u8]) {
    let mut value = Vec::new();
    let mut at = 0;
    while at < text.len() && text[at] != b'"' {
        at += usize::from(has_escapes && text[at] == b'\\' && at + 1 < text.len());
        value.push(text[at]);
        at += 1;
    }
    (value, text.get(at + 1..).unwrap_or_default())
}

const NAME: &[u8] = b"name";

/// Transfer encodings that do not change the content (RFC 2045 section 6.1). Forms must not use others (RFC 7578
/// section 4.7).
const PLAIN: [&[u8]; 3] = [b"7bit", b"8bit", b"binary"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn part_name_is_unclear_if_parsers_read_it_differently() {
        for (line, expected) in [
            (
                r#"Content-Disposition: form-data; name="model""#,
                Name::Model,
            ),
            ("content-disposition:form-data;name=model", Name::Model),
            (
                r#"CONTENT-DISPOSITION : Form-Data ; NAME = "Model" "#,
                Name::Model,
            ),
            (
                r#"Content-Disposition: form-data; filename="a"; name=model"#,
                Name::Model,
            ),
            (
                r#"Content-Disposition: form-data; name="models""#,
                Name::Other,
            ),
            (
                r#"Content-Disposition: form-data; name="file"; filename="model""#,
                Name::Other,
            ),
            (
                r#"Content-Disposition: form-data; name="file"; filename="a \"b\" c.wav""#,
                Name::Other,
            ),
            (
                r#"Content-Disposition: form-data; filename=";name=model""#,
                Name::Other,
            ),
            (
                r#"Content-Disposition: form-data; file name=model"#,
                Name::Other,
            ),
            (r#"Content-Type: text/plain; name="model""#, Name::Other),
            ("Content-Disposition: form-data", Name::Other),
            ("no field", Name::Other),
            ("", Name::Other),
            (
                r#"Content-Disposition: form-data; name="mo\del""#,
                Name::Unclear,
            ),
            (
                r#"Content-Disposition: form-data; filename="\"; name=model; x=""#,
                Name::Unclear,
            ),
            (
                r#"Content-Disposition: form-data; name="file"; name="model""#,
                Name::Unclear,
            ),
            (
                "Content-Disposition: form-data; name*=utf-8''model",
                Name::Unclear,
            ),
            (
                "Content-Disposition: form-data; name*0=mod; name*1=el",
                Name::Unclear,
            ),
            (
                "Content-Disposition: form-data;\r\n name=model",
                Name::Unclear,
            ),
            (
                "X: a\rContent-Disposition: form-data; name=model",
                Name::Unclear,
            ),
            (
                "Content-Disposition: x; name=a\nContent-Disposition: x; name=model",
                Name::Unclear,
            ),
            (
                "Content-Transfer-Encoding: base64\r\nContent-Disposition: form-data; name=model",
                Name::Unclear,
            ),
            (
                "Content-Transfer-Encoding: 8BIT\r\nContent-Disposition: form-data; name=model",
                Name::Model,
            ),
        ] {
            let head = format!("{line}\r\n\r\n");
            assert_eq!(part_name(head.as_bytes()), expected, "{line}");
        }
    }
}
