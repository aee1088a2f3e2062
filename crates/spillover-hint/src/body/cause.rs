/// Returns a message on one line, without control characters, cut to 300 characters for the answer to a client.
pub(crate) fn cause(message: &str) -> Option<Box<str>> {
    let mut cause = String::with_capacity(message.len().min(MAX_CHARS));
    let mut room = MAX_CHARS;
    for word in message.split_whitespace() {
        let mut chars = word.chars().filter(|c| !is_hidden(*c)).peekable();
        if chars.peek().is_none() {
            continue;
        }
        if !cause.is_empty() {
            // Avoids a trailing space as the last character.
            if room < 2 {
                break;
            }
            cause.push(' ');
            room -= 1;
        }
        // The fast path: most words are plain ASCII.
        if word.len() <= room && word.bytes().all(|byte| byte.is_ascii_graphic()) {
            cause.push_str(word);
            room -= word.len();
            continue;
        }
        for c in chars.take(room) {
            cause.push(c);
            room -= 1;
        }
    }
    (!cause.is_empty()).then(|| cause.into())
}

/// Returns true for control characters and for those that change the direction of the surrounding text.
fn is_hidden(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

const MAX_CHARS: usize = 300;
