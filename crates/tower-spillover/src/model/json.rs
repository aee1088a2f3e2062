use std::ops::Range;

use memchr::memchr2;

use super::{Fields, extracted::FieldValue};

/// Looks for the strings of the fields in a JSON request, chunk by chunk: those of the object that is the body. The
/// first of a name counts; a second model is told where that matters.
///
/// It is no parser: what it makes of a text that is not JSON has no meaning, for no backend takes that.
#[derive(Debug)]
pub(super) struct JsonScan {
    fields: Fields,
    is_decisive: bool,
    depth: usize,
    place: Place,
    string: Option<Text>,
    /// The latest string that mattered, as far as it was read, with its quotes.
    kept: Vec<u8>,
    /// Where it begins.
    kept_at: usize,
    /// Bytes of the chunks before.
    passed: usize,
    /// The value of each field that was seen.
    found: Vec<FieldValue>,
    /// The place where the first field of the object stands, or would stand.
    first_at: Option<usize>,
    /// The object has no field so far.
    is_empty: bool,
    is_ambiguous: bool,
    is_done: bool,
}

/// Where in the outer object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Key,
    /// After the key of this field.
    Field(usize),
    Value,
}

/// A string that is being read.
#[derive(Clone, Copy, Debug)]
struct Text {
    is_kept: bool,
    is_escaped: bool,
}

impl JsonScan {
    /// Looks for the fields. If the model is decisive, the search goes on to the end of the object, for a second one.
    pub(super) fn new(fields: Fields, is_decisive: bool) -> Self {
        Self {
            fields,
            is_decisive,
            depth: 0,
            place: Place::Key,
            string: None,
            kept: Vec::new(),
            kept_at: 0,
            passed: 0,
            found: Vec::new(),
            first_at: None,
            is_empty: true,
            is_ambiguous: false,
            is_done: false,
        }
    }

    /// Returns true when the search is over with this chunk.
    pub(super) fn scan(&mut self, chunk: &[u8]) -> bool {
        let mut rest = chunk;
        while let (false, Some((&byte, after))) = (self.is_done, rest.split_first()) {
            let at = self.passed + (chunk.len() - rest.len());
            rest = match self.string.take() {
                Some(text) => self.read(text, rest, at),
                None => {
                    self.step(byte, at);
                    after
                }
            };
        }
        self.passed += chunk.len();
        self.is_done
    }

    /// Ends the search before the end of the body. The rest is not known: where the model decides, nothing was found then.
    pub(super) fn give_up(&mut self) {
        if self.is_decisive {
            self.found.clear();
        }
        self.first_at = None;
    }

    /// Returns the model, if it was found.
    pub(super) fn model(&self) -> Option<&str> {
        let mut found = self.found.iter();
        let model = found.find(|found| found.field == 0)?;
        model.text.as_deref()
    }

    /// Returns true if there is more than one model where only one may be.
    pub(super) fn is_ambiguous(&self) -> bool {
        self.is_ambiguous
    }

    /// Returns the values that were found, and the place where a first field can be inserted. The flag is true for an
    /// object without fields.
    pub(super) fn into_extracted(self) -> (Vec<FieldValue>, Option<(usize, bool)>) {
        let has_model = self.found.iter().any(|found| found.field == 0);
        let first_at = self.first_at.filter(|_| !has_model);
        (self.found, first_at.map(|at| (at, self.is_empty)))
    }

    /// Goes on with a string that has its next byte at `at`, and returns what comes after it.
    fn read<'a>(&mut self, text: Text, chunk: &'a [u8], at: usize) -> &'a [u8] {
        let start = usize::from(text.is_escaped);
        let end = memchr2(b'"', b'\\', &chunk[start..]).map(|end| start + end);
        let (read, rest) = chunk.split_at(end.map_or(chunk.len(), |end| end + 1));
        if text.is_kept {
            self.kept.extend_from_slice(read);
        }
        match end.map(|end| chunk[end]) {
            Some(b'"') if text.is_kept => self.end_kept(at + read.len()),
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

    /// Notes the string that was kept; the next byte is at `end`.
    fn end_kept(&mut self, end: usize) {
        if let Place::Field(field) = self.place {
            let text = serde_json::from_slice(&self.kept).ok();
            self.record_value(field, text, self.kept_at..end);
            return;
        }
        self.is_empty = false;
        let name = &self.kept[1..self.kept.len() - 1];
        let field = if name.contains(&b'\\') {
            let name = serde_json::from_slice::<String>(&self.kept).ok();
            name.and_then(|name| self.fields.find(name.as_bytes(), self.is_decisive))
        } else {
            self.fields.find(name, self.is_decisive)
        };
        let is_seen = |field| self.found.iter().any(|found| found.field == field);
        self.place = match field {
            Some(field) if !is_seen(field) => Place::Field(field),
            Some(0) if self.is_decisive => {
                self.is_ambiguous = true;
                self.is_done = true;
                Place::Value
            }
            _ => Place::Value,
        };
    }

    /// Records the value of a field.
    fn record_value(&mut self, field: usize, text: Option<String>, place: Range<usize>) {
        self.place = Place::Value;
        self.found.push(FieldValue { field, text, place });
        let is_all = self.found.len() == self.fields.len();
        self.is_done = is_all && !self.is_decisive;
    }

    fn step(&mut self, byte: u8, at: usize) {
        match byte {
            b' ' | b'\t' | b'\n' | b'\r' | b':' => {}
            b'"' if self.depth > 0 => {
                let is_kept = self.depth == 1 && self.place != Place::Value;
                if is_kept {
                    self.kept.clear();
                    self.kept.push(byte);
                    self.kept_at = at;
                }
                self.string = Some(Text {
                    is_kept,
                    is_escaped: false,
                });
            }
            // A value that is no string does not count.
            _ if self.depth == 1
                && let Place::Field(field) = self.place =>
            {
                self.record_value(field, None, at..at);
                if !self.is_done {
                    self.step(byte, at);
                }
            }
            b'{' => {
                self.first_at.get_or_insert(at + 1);
                self.depth += 1;
            }
            b'[' if self.depth > 0 => self.depth += 1,
            b'}' | b']' if self.depth > 1 => self.depth -= 1,
            b',' if self.depth == 1 => self.place = Place::Key,
            // The end of the object, or something else in its place. Zeros are of UTF-16, which some backends read.
            _ if self.depth == 0 || byte == 0 => self.is_done = true,
            b'}' | b']' => self.is_done = true,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::model::{Extracted, ModelName, Uses};

    fn for_model() -> JsonScan {
        JsonScan::new(Fields::default(), false)
    }

    fn model(text: &str) -> Option<String> {
        let mut scan = for_model();
        scan.scan(text.as_bytes());
        scan.model().map(str::to_owned)
    }

    #[test]
    fn search_ends_with_the_model() {
        let mut scan = for_model();
        assert!(!scan.scan(br#"{"temperature": 0.5, "mod"#));
        assert!(scan.scan(br#"el" : "a\u0062c", "messages": ["#));
        assert_eq!(scan.model(), Some("abc"));
        assert!(for_model().scan(b"[{\"model\": \"a\"}]"));
        assert!(for_model().scan(br#"{"model": ["a"]"#));
        assert!(for_model().scan(br#"{"n": {"model": "a"}}"#));
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

    #[test]
    fn other_fields_are_found_as_well_and_where_they_stand() {
        let text = r#"{"user": 7, "n": {"key": "x"}, "model": "m\" ", "key": "a", "key": "b", "late": "l"}"#;
        for cut in 0..text.len() {
            let fields = Fields::new(["user", "key", "none"], Uses::default());
            let mut scan = JsonScan::new(fields.clone(), false);
            let (start, end) = text.split_at(cut);
            scan.scan(start.as_bytes());
            assert!(scan.scan(end.as_bytes()));
            let found = Extracted::of_json(fields, scan);
            assert_eq!(found.model(), Some("m\" "));
            let edit = found.edit_to_replace(&ModelName::new("n")).unwrap();
            assert_eq!(&text[edit.place], r#""m\" ""#);
            assert_eq!(found.field("key"), Some("a"));
            assert_eq!(found.field("user"), None);
            assert_eq!(found.field("late"), None);
        }
    }

    #[test]
    fn second_model_is_told_where_the_model_decides() {
        let scan = |text: &str, is_routed| {
            let fields = Fields::new(["user"], Uses::default());
            let mut scan = JsonScan::new(fields, is_routed);
            for byte in text.as_bytes().chunks(1) {
                scan.scan(byte);
            }
            (scan.model().map(str::to_owned), scan.is_ambiguous())
        };
        let a = Some("a".to_owned());
        let twice = r#"{"model": "a", "user": "u", "n": [], "mod\u0065l": "b"}"#;
        assert_eq!(scan(twice, true), (a.clone(), true));
        assert_eq!(scan(twice, false), (a.clone(), false));
        let other = r#"{"MODEL": "b", "model": "a"}"#;
        assert!(scan(other, true).1);
        assert_eq!(scan(other, false), (a.clone(), false));
        let nested = r#"{"model": "a", "user": "u", "n": {"model": "b"}, "models": ["model"]}"#;
        assert_eq!(scan(nested, true), (a, false));
        let numbers = r#"{"model": 1, "model": 2, "model": 3}"#;
        assert_eq!(scan(numbers, true), (None, true));
        assert_eq!(scan(numbers, false), (None, false));
    }

    #[test]
    fn text_in_wider_characters_has_no_model() {
        // Python's `json` tells UTF-16 by the zeros, and sees a string of other characters in these bytes.
        assert_eq!(model("{\0\"\0?\",\"model\":\"a\","), None);
    }

    #[test]
    fn model_may_be_a_wanted_field_too() {
        let fields = Fields::new(["model"], Uses::default());
        let mut scan = JsonScan::new(fields.clone(), false);
        assert!(scan.scan(br#"{"model": "a","#));
        assert_eq!(Extracted::of_json(fields, scan).field("model"), Some("a"));
    }

    #[test]
    fn place_before_the_first_field_is_told_where_there_is_no_model() {
        for (text, expected) in [
            (r#"{"n":1}"#, Some((1, false))),
            (" {\n \"n\":{}}", Some((2, false))),
            ("{}", Some((1, true))),
            ("{ }", Some((1, true))),
            ("[{}]", None),
            ("7", None),
            ("", None),
            (r#"{"n":1,"model":null}"#, None),
            (r#"{"model":"a"}"#, None),
        ] {
            let mut scan = JsonScan::new(Fields::default(), true);
            for byte in text.as_bytes().chunks(1) {
                scan.scan(byte);
            }
            assert_eq!(scan.into_extracted().1, expected, "{text}");
        }
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
        fn scan_finds_the_same_fields_as_a_parser(value in value(), cut in 0_usize..64) {
            let text = value.to_string();
            let expected = value.get("model").and_then(Value::as_str);
            let (start, end) = text.as_bytes().split_at(cut.min(text.len()));
            let mut scan = for_model();
            scan.scan(start);
            scan.scan(end);
            prop_assert_eq!(scan.model(), expected);
            let pretty = serde_json::to_string_pretty(&json!({"a": value, "model": "x"})).unwrap();
            let found = model(&pretty);
            prop_assert_eq!(found.as_deref(), Some("x"));
        }
    }
}
