//! The backends of the demo, and the texts about them.

use std::fmt::Write;

use spillover_core::{Backend, BackendKind, Pool};
use spillover_testing::demo::{Fleet, Member};

/// Returns a pool of the mocks.
pub(super) fn pool(fleet: &Fleet) -> Result<Pool, Box<dyn std::error::Error + Send + Sync>> {
    let backend = |member: &Member| {
        Backend::builder(member.label())
            .url(member.url())
            .kind(BackendKind::Azure)
            .priority(member.priority())
            .build()
    };
    let backends: Vec<_> = fleet
        .members()
        .iter()
        .map(backend)
        .collect::<Result<_, _>>()?;
    Ok(Pool::new(backends)?)
}

/// Returns the first lines of the demo.
pub(super) fn introduction(fleet: &Fleet) -> String {
    let mut text = String::from("Spillover in front of three mocks of Azure OpenAI:\n\n");
    for member in fleet.members() {
        let (label, priority, about) = (member.label(), member.priority(), member.about());
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  {label:<8} tier {priority}   {about}");
    }
    text
}

/// Returns the variables with which another gateway serves from these backends.
pub(super) fn variables(fleet: &Fleet) -> String {
    let mut text =
        String::from("Its backends serve another gateway, too, such as the example of axum:\n\n");
    for member in fleet.members() {
        let name = format!("BACKEND_{}", member.label().to_ascii_uppercase());
        let (url, priority) = (member.url(), member.priority());
        let _ = writeln!(
            text,
            "  export {name}_URL={url}/openai {name}_PRIORITY={priority} {name}_AUTH=passthrough"
        );
    }
    text + "  LISTEN=127.0.0.1:8081 cargo run -p spillover-examples --bin gateway\n"
}
