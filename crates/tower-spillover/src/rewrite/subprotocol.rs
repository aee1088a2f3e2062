use http::{HeaderMap, HeaderValue, header::SEC_WEBSOCKET_PROTOCOL};

/// Removes the key that a browser has to put among the subprotocols of a WebSocket, as it can set no field
/// (<https://platform.openai.com/docs/guides/realtime-websocket>).
pub(super) fn remove_keys(headers: &mut HeaderMap) {
    // One lookup, for all that are no WebSocket.
    if !headers.contains_key(SEC_WEBSOCKET_PROTOCOL) {
        return;
    }
    let values: Vec<HeaderValue> = headers
        .get_all(SEC_WEBSOCKET_PROTOCOL)
        .iter()
        .filter_map(without_keys)
        .collect();
    headers.remove(SEC_WEBSOCKET_PROTOCOL);
    for value in values {
        headers.append(SEC_WEBSOCKET_PROTOCOL, value);
    }
}

/// Returns the subprotocols without keys. `None` when nothing is left.
fn without_keys(value: &HeaderValue) -> Option<HeaderValue> {
    // Subprotocols are tokens (RFC 6455 section 11.3.4): what is no text is none, and might hide a key.
    let list = value.to_str().ok()?;
    let tokens: Vec<_> = list
        .split(',')
        .map(str::trim)
        .filter(|token| !token.is_empty() && !is_key(token))
        .collect();
    let value = HeaderValue::try_from(tokens.join(", ")).ok()?;
    (!value.is_empty()).then_some(value)
}

fn is_key(token: &str) -> bool {
    KEYS.iter().any(|key| {
        let start = token.as_bytes().get(..key.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(key.as_bytes()))
    })
}

/// The key, and the account that it belongs to.
const KEYS: [&str; 3] = [
    "openai-insecure-api-key.",
    "openai-organization.",
    "openai-project.",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn left(values: &[&'static str]) -> Vec<String> {
        let mut headers = HeaderMap::new();
        for value in values {
            let value = HeaderValue::from_static(value);
            headers.append(SEC_WEBSOCKET_PROTOCOL, value);
        }
        remove_keys(&mut headers);
        headers
            .get_all(SEC_WEBSOCKET_PROTOCOL)
            .iter()
            .map(|value| value.to_str().unwrap().to_owned())
            .collect()
    }

    #[test]
    fn account_of_the_key_is_removed_too() {
        let values = ["realtime, openai-organization.org-1, OpenAI-Project.proj_1"];
        assert_eq!(left(&values), ["realtime"]);
    }

    #[test]
    fn key_is_taken_out_of_the_list() {
        assert_eq!(
            left(&["realtime, openai-insecure-api-key.sk-1, openai-beta.realtime-v1"]),
            ["realtime, openai-beta.realtime-v1"]
        );
        assert_eq!(
            left(&["realtime", "OpenAI-Insecure-API-Key.sk-1", "x"]),
            ["realtime", "x"]
        );
        assert_eq!(left(&[",openai-insecure-api-key.sk-1 ,"]), [""; 0]);
        assert_eq!(
            left(&["realtime,openai-insecure-api-key"]),
            ["realtime, openai-insecure-api-key"]
        );
        assert_eq!(left(&[]), [""; 0]);
    }
}
