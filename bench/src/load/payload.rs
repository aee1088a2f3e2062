use bytes::Bytes;

/// Returns a chat request of this length.
pub(super) fn chat(length: usize) -> Bytes {
    let padding = length - BEFORE.len() - AFTER.len();
    format!("{BEFORE}{}{AFTER}", "x".repeat(padding)).into()
}

const BEFORE: &str =
    r#"{"model":"gpt-4o","temperature":0.2,"messages":[{"role":"user","content":""#;
const AFTER: &str = r#""}]}"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chat_request_has_the_given_length() {
        assert_eq!(chat(1024).len(), 1024);
    }
}
