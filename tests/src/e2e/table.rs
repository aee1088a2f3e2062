//! Tables of a configuration file.

/// A pool, with what else there is to say of it; its [backends](backend) come after it.
pub fn pool(name: &str, rest: &str) -> String {
    format!("[[pools]]\nname = \"{name}\"\n{rest}\n")
}

/// A backend that gets the credentials of the client, with what else there is to say of it.
pub fn backend(name: &str, url: &str, rest: &str) -> String {
    format!(
        "[[pools.backends]]\nname = \"{name}\"\nurl = \"{url}\"\ncredential = \"passthrough\"\n{rest}\n"
    )
}
