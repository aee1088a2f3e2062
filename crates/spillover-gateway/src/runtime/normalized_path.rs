use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// Returns the normalized path that a backend may see: escapes decoded, `..` normalized, repeated slashes merged (RFC 3986
/// sections 6.2.2 and 5.2.4). Returns `None` when the path is normalized already, as most are.
///
/// For example, `/openai/x/../deployments//gpt%2D4o` becomes `/openai/deployments/gpt-4o`.
pub(super) fn normalized(path: &str) -> Option<String> {
    let is_plain = !path.contains(['%', '\\']) && !path.contains("//") && !path.contains("/.");
    if is_plain {
        return None;
    }
    let decoded: Cow<'_, str> = percent_decode_str(path).decode_utf8_lossy();
    let mut segments = Vec::new();
    for segment in decoded.split(['/', '\\']) {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            _ => segments.push(segment),
        }
    }
    Some(format!("/{}", segments.join("/")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normalized_path_gives_none() {
        for path in ["/", "*", "/v1/chat/completions", "/v1/files/a.b", "/v1/"] {
            assert_eq!(normalized(path), None, "{path}");
        }
    }

    #[test]
    fn other_paths_are_normalized() {
        for (path, expected) in [
            ("//v1/x", "/v1/x"),
            ("/a/./b/../c", "/a/c"),
            ("/../..", "/"),
            ("/%61/%2e%2E/b%2Fc", "/b/c"),
            ("/a\\..\\b", "/b"),
        ] {
            assert_eq!(normalized(path).as_deref(), Some(expected), "{path}");
        }
    }
}
