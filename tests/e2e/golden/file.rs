//! The comparison of a text with a golden file.

use std::{env, fs, path::Path};

use similar::TextDiff;
use spillover_tests::e2e::Answer;

/// The text for one golden file, in sections that each have a title.
pub(super) struct Golden {
    name: &'static str,
    text: String,
}

impl Golden {
    /// Begins the text for the file `name` in `tests/golden`.
    pub(super) fn new(name: &'static str) -> Self {
        let text = String::new();
        Self { name, text }
    }

    /// Adds a section.
    pub(super) fn add(&mut self, title: &str, text: &str) {
        let text = text.trim_end();
        self.text += &format!("=== {title}\n{text}\n\n");
    }

    /// Adds a section with the status, the header fields and the body of an answer. The field `date` is left out.
    pub(super) fn add_answer(&mut self, title: &str, answer: &Answer) {
        let fields = answer.headers.iter();
        let fields = fields
            .map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value.as_bytes())));
        self.add(
            title,
            &shown_answer(&answer.status.to_string(), fields.collect(), answer.text()),
        );
    }

    /// Adds a section with an answer in the form in which HTTP/1.1 has it.
    pub(super) fn add_bytes(&mut self, title: &str, answer: &str) {
        let (head, body) = answer.split_once("\r\n\r\n").expect("a whole head");
        let (status, fields) = head.split_once("\r\n").expect("a status line");
        let fields = fields.lines().map(ToOwned::to_owned).collect();
        self.add(title, &shown_answer(status, fields, body));
    }

    /// Compares the whole text with the file.
    #[track_caller]
    pub(super) fn assert(&self) {
        assert_golden(self.name, &self.text);
    }
}

/// Compares a text with the file `name` in `tests/golden`, or rewrites the file when `UPDATE_GOLDEN=1` is set.
#[track_caller]
pub(super) fn assert_golden(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("golden")
        .join(name);
    let text = format!("{}\n", text.trim_end());
    if env::var("UPDATE_GOLDEN").is_ok_and(|value| value == "1") {
        fs::write(&path, text).expect("the directory tests/golden");
        return;
    }
    let golden = fs::read_to_string(&path).unwrap_or_default();
    if golden == text {
        return;
    }
    let diff = TextDiff::from_lines(&golden, &text);
    let diff = diff.unified_diff().context_radius(3).to_string();
    panic!(
        "tests/golden/{name} differs (- golden, + now):\n{diff}\n\
         If the change is wanted, set UPDATE_GOLDEN=1, run the test again and commit the file."
    );
}

/// Reads the file `name` in `tests/golden`.
pub(super) fn golden_text(name: &str) -> String {
    let path = format!("{}/golden/{name}", env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(path).expect("a file in tests/golden")
}

/// Sorts the fields of an answer, which come in no order of their own.
fn shown_answer(status: &str, mut fields: Vec<String>, body: &str) -> String {
    fields.retain(|field| !field.starts_with("date: "));
    fields.sort();
    mask(
        &format!("{status}\n{}\n\n{body}", fields.join("\n")),
        &WAITS,
    )
}

/// Replaces the number behind each of these texts by `<n>`, and ids of requests by `<id>`.
pub(super) fn mask(text: &str, before: &[&str]) -> String {
    let text = mask_ids(text);
    before.iter().fold(text, |text, before| {
        let mut parts = text.split(before);
        let mut masked = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let rest = part.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
            let number = if rest.len() < part.len() { "<n>" } else { "" };
            masked += &[before, number, rest].concat();
        }
        masked
    })
}

/// Replaces the ids that the gateway has made for requests.
fn mask_ids(text: &str) -> String {
    let is_id = |word: &str| {
        let is_hex = |part: &str| part.bytes().all(|byte| byte.is_ascii_hexdigit());
        word.len() == 36 && word.split('-').count() == 5 && word.split('-').all(is_hex)
    };
    let mut masked = String::new();
    for part in text.split_inclusive(|c: char| !c.is_ascii_hexdigit() && c != '-') {
        let word = part.trim_end_matches(|c: char| !c.is_ascii_hexdigit() && c != '-');
        match is_id(word) {
            true => masked += &part.replace(word, "<id>"),
            false => masked += part,
        }
    }
    masked
}

/// The texts in front of the port of an address, and of the time that a client is told to wait.
const WAITS: [&str; 5] = [
    "127.0.0.1:",
    "retry-after: ",
    "retry-after-ms: ",
    "retry-pushback-ms: ",
    "retry after ",
];
