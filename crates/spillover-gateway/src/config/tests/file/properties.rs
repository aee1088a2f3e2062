use proptest::{prelude::*, sample::select};

use super::{POOL, read};
use crate::config::tests::directory::Directory;

/// A document with something of everything.
const WHOLE: &str = r#"
log_format = "json"
admin = { address = "127.0.0.1:9090" }
clients = { cors = ["https://a.example"], keys = [{ name = "a", secret = "hunter2", pools = ["b"] }] }
[[listeners]]
address = "0.0.0.0:8080"
tls = { certificate = "/a", key = "/b", client_ca = "/c", client_certificate = "optional" }
[connections]
head_size = "64KiB"
head_fields = 5
[[pools]]
name = "b"
when_exhausted = "wait:2s"
routes = [{ host = "*.a", path_prefix = "/b", model = "c*" }]
statuses = { 404 = "declined" }
timeouts = { idle = "off", connect = "5s" }
limits = { body = "1MiB", max_attempts = 2 }
cooldown = { jitter = 0.5 }
affinity = { keys = [{ header = "x-a" }, { body = "user" }], pinned = true }
[[pools.backends]]
name = "c"
url = "https://a.example"
credential = { api_key = "hunter2" }
request_headers = { set = { x-a = "hunter2" }, remove = ["x-b"] }
[[pools.backends]]
name = "d"
url = "https://a.example"
credential = { header = { name = "x-api-key", value = { env = "HUNTER" } } }
"#;

/// What a part of the document is put in the place of.
fn junk() -> impl Strategy<Value = String> {
    let good = select(vec![
        "",
        "\"hunter2\"",
        "{ env = \"hunter2\" }",
        "{ file = \"hunter2\" }",
        "[\"hunter2\"]",
        "hunter2",
        "1",
        "-1",
        "1.5",
        "nan",
        "true",
        "[]",
        "{}",
        "[[pools]]",
        "'''",
        "\"",
        "1979-05-27",
        "9999999999999999999999",
        "\u{0}",
        "{ hunter2 = { hunter2 = 1 } }",
        "= 'hunter2'",
        "\n",
        "é",
        "[[[[",
        "'off'",
        "'hunter2s'",
        "'[redacted]'",
    ]);
    prop_oneof![4 => good.prop_map(str::to_owned), 1 => "\\PC{0,8}"]
}

proptest! {
    #[test]
    fn no_document_panics_or_prints_a_secret(
        changes in prop::collection::vec((0..60_usize, 0..4_u8, junk()), 0..4),
    ) {
        let mut lines: Vec<String> = WHOLE.lines().map(str::to_owned).collect();
        for (at, how, junk) in changes {
            let at = at % lines.len();
            let line = lines[at].clone();
            match (how, line.split_once(" = ")) {
                (0, Some((key, _))) => lines[at] = format!("{key} = {junk}"),
                (1, Some((_, value))) => lines[at] = format!("{junk} = {value}"),
                (2, _) => lines.insert(at, junk),
                _ => lines[at] = junk,
            }
        }
        let text = lines.join("\n");
        let result = read(&Directory::new(), &text, &[], &[("HUNTER", "hunter2")]);
        let printed = match &result {
            Ok((config, document)) => format!("{config:?} {}", document.print(config)),
            Err(error) => format!("{error} {error:?}"),
        };
        // What is a name or a place in a good configuration is no secret there.
        if result.is_err() {
            prop_assert!(!printed.contains("hunter2"), "{printed}");
        }
    }

    #[test]
    fn no_text_panics(text in ".*") {
        let _ = read(&Directory::new(), &text, &[], &[]);
        let _ = read(&Directory::new(), &format!("{POOL}{text}"), &[], &[]);
    }
}
