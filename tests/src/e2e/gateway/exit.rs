use tokio::process::Command;

use crate::e2e::soon;

/// How a gateway ended, and all that it wrote.
#[derive(Debug)]
pub struct Exit {
    /// The exit code; `None` when a signal killed it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error: the log, and why it could not go on.
    pub stderr: String,
}

impl Exit {
    pub(super) async fn of(command: &mut Command) -> Self {
        let output = soon(command.output())
            .await
            .expect("the program can be run");
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).expect("output in UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("output in UTF-8"),
        }
    }
}
