/// A message on one line, without control characters, and not too long for the answer to a client.
pub(crate) fn cause(message: &str) -> Option<Box<str>> {
    let mut cause = String::new();
    let mut len = 0;
    for word in message.split_whitespace() {
        let chars = word.chars().filter(|c| !is_hidden(*c));
        let space = (len > 0).then_some(' ');
        for c in space.into_iter().chain(chars) {
            if len == MAX_CHARS {
                return Some(cause.into());
            }
            cause.push(c);
            len += 1;
        }
    }
    let cause = cause.trim_end();
    (!cause.is_empty()).then(|| cause.into())
}

/// Control characters, and those that change the direction of the text around them.
fn is_hidden(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

const MAX_CHARS: usize = 300;
