//! Runs the examples of README and documentation as a reader copies them.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
};

use tokio::process::Command;

use crate::{e2e::soon, tools};

/// Returns the text of a page of the repository, such as `README.md` or `docs/azure.md`.
///
/// # Panics
///
/// Panics if there is no such page.
pub fn page(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name);
    fs::read_to_string(path).expect(name)
}

/// Returns the code blocks of a page that are in this language, in order.
pub fn blocks(page: &str, language: &str) -> Vec<String> {
    let begin = format!("```{language}");
    let mut blocks = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        if !line.starts_with("```") {
            continue;
        }
        let block: Vec<_> = lines.by_ref().take_while(|line| *line != "```").collect();
        if line == begin {
            blocks.push(block.join("\n"));
        }
    }
    blocks
}

/// Returns the variables that the `export` lines of a shell example set.
pub fn exports(block: &str) -> Vec<(String, String)> {
    let lines = block
        .lines()
        .filter_map(|line| line.strip_prefix("export "));
    let words = lines.flat_map(str::split_whitespace);
    let variables = words.filter_map(|word| word.split_once('='));
    variables
        .map(|(name, value)| (name.to_owned(), value.trim_matches('\'').to_owned()))
        .collect()
}

/// Returns the commands of a shell example, each with its continued lines. A loop is one command.
pub fn commands(block: &str) -> Vec<String> {
    let mut commands: Vec<String> = Vec::new();
    let mut is_open = false;
    for line in block.lines() {
        match commands.last_mut() {
            Some(command) if is_open || command.ends_with('\\') => {
                command.push('\n');
                command.push_str(line);
            }
            _ => commands.push(line.to_owned()),
        }
        is_open = (is_open || line.starts_with("for ")) && line != "done";
    }
    commands
}

/// A program that runs examples of one language.
#[derive(Clone, Debug)]
pub struct Program {
    path: PathBuf,
    args: &'static [&'static str],
    folder: PathBuf,
}

impl Program {
    /// Returns bash, in a folder, or `None` where curl is missing. Shell examples are run by it.
    pub fn shell(folder: &Path) -> Option<Self> {
        tools::curl()?;
        Some(Self {
            path: "bash".into(),
            args: &["-c"],
            folder: folder.to_owned(),
        })
    }

    /// Returns Python with the SDKs, or `None` where it is missing.
    pub fn python() -> Option<Self> {
        Some(Self {
            path: tools::python()?,
            args: &["-c"],
            folder: Path::new("/").to_owned(),
        })
    }

    /// Returns Node.js with the SDKs, or `None` where it is missing.
    pub fn node() -> Option<Self> {
        Some(Self {
            path: tools::node()?,
            args: &["--input-type=module", "--eval"],
            // Node.js looks for modules from here when they are not files.
            folder: tools::node_folder(),
        })
    }

    /// Runs an example, with a gateway at this address in place of one at the default address, and returns what it prints.
    ///
    /// # Panics
    ///
    /// Panics when the example fails.
    pub async fn run(
        &self,
        example: &str,
        gateway: SocketAddr,
        variables: &[(&str, &str)],
    ) -> String {
        let example = example.replace("127.0.0.1:8080", &gateway.to_string());
        let mut command = Command::new(&self.path);
        // No variable of this machine, e.g. a proxy, decides where the example connects.
        let path = std::env::var_os("PATH").unwrap_or_default();
        command
            .env_clear()
            .env("PATH", path)
            .envs(variables.iter().copied())
            .args(self.args)
            .arg(&example)
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .kill_on_drop(true);
        let output = soon(command.output()).await.expect("the program runs");
        let [stdout, stderr] = [output.stdout, output.stderr]
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        assert!(
            output.status.success(),
            "{example}\n{}\n{stdout}\n{stderr}",
            output.status
        );
        stdout
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_of_a_language_are_found() {
        let page = "a\n```sh\nx\ny\n```\n```text\nz\n```\n```sh\n```\n";
        assert_eq!(blocks(page, "sh"), ["x\ny", ""]);
        assert_eq!(blocks(page, "text"), ["z"]);
    }

    #[test]
    fn exports_and_commands_are_taken_apart() {
        let block =
            "export A=1 B='x y'\ncurl a \\\n  -d b\nfor x in a; do\n  curl $x\ndone\ncurl -I c";
        assert_eq!(
            commands(block),
            [
                "export A=1 B='x y'",
                "curl a \\\n  -d b",
                "for x in a; do\n  curl $x\ndone",
                "curl -I c"
            ]
        );
        let variables = exports("export A=1 B=...\n export C=2\nexport D='3'");
        let expected = [("A", "1"), ("B", "..."), ("D", "3")];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(variables, expected);
    }
}
