use memchr::memchr2;

/// Looks for the `model` of a request in JSON, chunk by chunk: the string of that name in the object that is the body.
///
/// It is no parser: what it makes of a text that is not JSON has no meaning, for no backend takes that.
#[derive(Debug, Default)]
pub(super) struct Scan {
    depth: usize,
    place: Place,
    string: Option<Text>,
    /// The latest string that mattered, as far as it was read, with its quotes.
    kept: Vec<u8>,
    model: Option<String>,
    is_done: bool,
}

/// Where in the outer object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    #[default]
    Key,
    /// After the key `model`.
    Model,
    Value,
}

/// A string that is being read.
#[derive(Clone, Copy, Debug)]
struct Text {
    is_kept: bool,
    is_escaped: bool,
}

impl Scan {
    /// Whether the search is over with this chunk.
    pub(super) fn look(&mut self, chunk: &[u8]) -> bool {
        let mut rest = chunk;
        while let (false, Some((&byte, after))) = (self.is_done, rest.split_first()) {
            rest = match self.string.take() {
                Some(text) => self.read(text, rest),
                None => {
                    self.step(byte);
                    after
                }
            };
        }
        self.is_done
    }

    /// What was found.
    pub(super) fn model(&self) -> Option<&str> {
        self.model.as_deref()
    }

    /// Goes on with a string, and returns what comes after it.
    fn read<'a>(&mut self, text: Text, chunk: &'a [u8]) -> &'a [u8] {
        let start = usize::from(text.is_escaped);
        let end = memchr2(b'"', b'\\', &chunk[start..]).map(|end| start + end);
        let (read, rest) = chunk.split_at(end.map_or(chunk.len(), |end| end + 1));
        if text.is_kept {
            self.kept.extend_from_slice(read);
        }
        match end.map(|end| chunk[end]) {
            Some(b'"') if text.is_kept => self.end_kept(),
            Some(b'"') => {}
            escape => {
                self.string = Some(Text {
                    is_escaped: escape.is_some(),
                    ..text
                });
            }
        }
        rest
    }

    fn end_kept(&mut self) {
        if self.place == Place::Model {
            self.model = serde_json::from_slice(&self.kept).ok();
            self.is_done = true;
            return;
        }
        let is_escaped = self.kept.contains(&b'\\');
        let is_model = self.kept == br#""model""#
            || is_escaped && serde_json::from_slice(&self.kept).is_ok_and(is_model);
        self.place = if is_model { Place::Model } else { Place::Value };
    }

    fn step(&mut self, byte: u8) {
        match byte {
            b' ' | b'\t' | b'\n' | b'\r' | b':' => {}
            b'"' if self.depth > 0 => {
                let is_kept = self.depth == 1 && self.place != Place::Value;
                if is_kept {
                    self.kept.clear();
                    self.kept.push(byte);
                }
                self.string = Some(Text {
                    is_kept,
                    is_escaped: false,
                });
            }
            // What is no string is no model.
            _ if self.depth == 1 && self.place == Place::Model => self.is_done = true,
            b'{' => self.depth += 1,
            b'[' if self.depth > 0 => self.depth += 1,
            b'}' | b']' if self.depth > 1 => self.depth -= 1,
            b',' if self.depth == 1 => self.place = Place::Key,
            // The end of the object, or something else in its place.
            _ if self.depth == 0 => self.is_done = true,
            b'}' | b']' => self.is_done = true,
            _ => {}
        }
    }
}

fn is_model(key: String) -> bool {
    key == "model"
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn model(text: &str) -> Option<String> {
        let mut scan = Scan::default();
        scan.look(text.as_bytes());
        scan.model().map(str::to_owned)
    }

    #[test]
    fn the_search_ends_with_the_model() {
        let mut scan = Scan::default();
        assert!(!scan.look(br#"{"temperature": 0.5, "mod"#));
        assert!(scan.look(br#"el" : "a\u0062c", "messages": ["#));
        assert_eq!(scan.model(), Some("abc"));
        assert!(Scan::default().look(b"[{\"model\": \"a\"}]"));
        assert!(Scan::default().look(br#"{"model": ["a"]"#));
        assert!(Scan::default().look(br#"{"n": {"model": "a"}}"#));
    }

    #[test]
    fn names_may_be_escaped() {
        assert_eq!(model(r#"{"\u006dodel": "a"}"#).as_deref(), Some("a"));
        assert_eq!(
            model(r#"{"model\"": "b", "model": "a"}"#).as_deref(),
            Some("a")
        );
        assert_eq!(
            model(r#"{"x": "\\", "model": "a\""}"#).as_deref(),
            Some("a\"")
        );
        assert_eq!(model(r#"{"model": "\ud800"}"#), None);
    }

    fn value() -> impl Strategy<Value = Value> {
        let text = r#"(model|[a-z"\\\{\}\[\],: é]{0,6})"#;
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<i32>().prop_map(Value::from),
            text.prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 16, 4, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(text, inner, 0..4).prop_map(Value::from_iter),
            ]
        })
    }

    proptest! {
        #[test]
        fn it_finds_what_a_parser_finds(value in value(), cut in 0_usize..64) {
            let text = value.to_string();
            let expected = value.get("model").and_then(Value::as_str);
            let (start, end) = text.as_bytes().split_at(cut.min(text.len()));
            let mut scan = Scan::default();
            scan.look(start);
            scan.look(end);
            prop_assert_eq!(scan.model(), expected);
            let pretty = serde_json::to_string_pretty(&json!({"a": value, "model": "x"})).unwrap();
            let found = model(&pretty);
            prop_assert_eq!(found.as_deref(), Some("x"));
        }
    }
}
