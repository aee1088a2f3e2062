//! Tables of a configuration file.

/// Returns a pool with further keys in `rest`. Its [backends](backend) come after it.
pub fn pool(name: &str, rest: &str) -> String {
    format!("[[pools]]\nname = \"{name}\"\n{rest}\n")
}

/// Returns a backend that gets the client's credentials, with further keys in `rest`.
pub fn backend(name: &str, url: &str, rest: &str) -> String {
    format!(
        "[[pools.backends]]\nname = \"{name}\"\nurl = \"{url}\"\ncredential = \"passthrough\"\n{rest}\n"
    )
}
