use std::ops::Range;

use memchr::memchr2;

use super::{Fields, extracted::FieldValue};

/// Extracts strings from the fields of a JSON request, chunk by chunk. Only fields of the outer object are read, and of
/// several fields with the same name the first. If the model is decisive, a second one is reported.
///
/// The scan is not a parser. Its result for a text that is not JSON has no meaning, since backends refuse such a text.
#[derive(Debug)]
pub(super) struct JsonScan {
    fields: Fields,
    is_decisive: bool,
    depth: usize,
    position: Position,
    string: Option<Text>,
    /// The latest key or value of interest as far as it was read, with its quotes.
    buffer: Vec<u8>,
    /// The beginning of the buffered string.
    buffered_at: usize,
    /// The number of bytes in the chunks before.
    passed: usize,
    /// The value of each field so far.
    values: Vec<FieldValue>,
    /// The position at which a first field of the object can be inserted.
    insert_at: Option<usize>,
    /// True if the object has no field so far.
    is_empty: bool,
    is_ambiguous: bool,
    is_done: bool,
}

/// The position of the scan in the outer object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Position {
    Key,
    /// The scan is after the key of this field.
    Field(usize),
    Value,
}

/// A string that is being read.
#[derive(Clone, Copy, Debug)]
struct Text {
    is_buffered: bool,
    is_escaped: bool,
}

impl JsonScan {
    /// Creates a scan for the fields. If the model is decisive, the scan continues to the end of the object, to detect a
    /// second model.
    pub(super) fn new(fields: Fields, is_decisive: bool) -> Self {
        Self {
            fields,
            is_decisive,
            depth: 0,
            position: Position::Key,
            string: None,
            buffer: Vec::new(),
            buffered_at: 0,
            passed: 0,
            values: Vec::new(),
            insert_at: None,
            is_empty: true,
            is_ambiguous: false,
            is_done: false,
        }
    }

    /// Scans a chunk. Returns true when the scan is complete.
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

    /// Ends the scan before the end of the body. If the model is decisive, the values so far are discarded, since the rest
    /// of the body may have a second model.
    pub(super) fn give_up(&mut self) {
        if self.is_decisive {
            self.values.clear();
        }
        self.insert_at = None;
    }

    /// Returns the model, if the body has one.
    pub(super) fn model(&self) -> Option<&str> {
        let mut values = self.values.iter();
        let model = values.find(|value| value.field == 0)?;
        model.text.as_deref()
    }

    /// Returns true if the model is decisive and the body has more than one.
    pub(super) fn is_ambiguous(&self) -> bool {
        self.is_ambiguous
    }

    /// Returns the values, and the position at which a first field can be inserted. The flag is true for an object
    /// without fields.
    pub(super) fn into_extracted(self) -> (Vec<FieldValue>, Option<(usize, bool)>) {
        let has_model = self.values.iter().any(|value| value.field == 0);
        let insert_at = self.insert_at.filter(|_| !has_model);
        (self.values, insert_at.map(|at| (at, self.is_empty)))
    }

    /// Reads on in a string whose next byte is at `at`. Returns the rest of the chunk.
    fn read<'a>(&mut self, text: Text, chunk: &'a [u8], at: usize) -> &'a [u8] {
        let start = usize::from(text.is_escaped);
        let end = memchr2(b'"', b'\\', &chunk[start..]).map(|end| start + end);
        let (read, rest) = chunk.split_at(end.map_or(chunk.len(), |end| end + 1));
        if text.is_buffered {
            self.buffer.extend_from_slice(read);
        }
        match end.map(|end| chunk[end]) {
            Some(b'"') if text.is_buffered => self.end_buffered(at + read.len()),
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

    /// Evaluates the buffered string. The next byte is at `end`.
    fn end_buffered(&mut self, end: usize) {
        if let Position::Field(field) = self.position {
            let text = serde_json::from_slice(&self.buffer).ok();
            self.record_value(field, text, self.buffered_at..end);
            return;
        }
        self.is_empty = false;
        let name = &self.buffer[1..self.buffer.len() - 1];
        let field = if name.contains(&b'\\') {
            let name = serde_json::from_slice::<String>(&self.buffer).ok();
            name.and_then(|name| self.fields.find(name.as_bytes(), self.is_decisive))
        } else {
            self.fields.find(name, self.is_decisive)
        };
        let is_seen = |field| self.values.iter().any(|value| value.field == field);
        self.position = match field {
            Some(field) if !is_seen(field) => Position::Field(field),
            Some(0) if self.is_decisive => {
                self.is_ambiguous = true;
                self.is_done = true;
                Position::Value
            }
            _ => Position::Value,
        };
    }

    /// Records the value of a field.
    fn record_value(&mut self, field: usize, text: Option<String>, range: Range<usize>) {
        self.position = Position::Value;
        self.values.push(FieldValue { field, text, range });
        let is_all = self.values.len() == self.fields.len();
        self.is_done = is_all && !self.is_decisive;
    }

    fn step(&mut self, byte: u8, at: usize) {
        match byte {
            b' ' | b'\t' | b'\n' | b'\r' | b':' => {}
            b'"' if self.depth > 0 => {
                let is_buffered = self.depth == 1 && self.position != Position::Value;
                if is_buffered {
                    self.buffer.clear();
                    self.buffer.push(byte);
                    self.buffered_at = at;
                }
                self.string = Some(Text {
                    is_buffered,
                    is_escaped: false,
                });
            }
            // A value that is not a string is recorded without a text.
            _ if self.depth == 1
                && let Position::Field(field) = self.position =>
            {
                self.record_value(field, None, at..at);
                if !self.is_done {
                    self.step(byte, at);
                }
            }
            b'{' => {
                self.insert_at.get_or_insert(at + 1);
                self.depth += 1;
            }
            b'[' if self.depth > 0 => self.depth += 1,
            b'}' | b']' if self.depth > 1 => self.depth -= 1,
            b',' if self.depth == 1 => self.position = Position::Key,
            // The end of the object, or a body that is not an object. Zero bytes belong to UTF-16, which some backends read.
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

    fn model_scan() -> JsonScan {
        JsonScan::new(Fields::default(), false)
    }

    fn model(text: &str) -> Option<String> {
        let mut scan = model_scan();
        scan.scan(text.as_bytes());
        scan.model().map(str::to_owned)
    }

    #[test]
    fn scan_ends_with_the_model() {
        let mut scan = model_scan();
        assert!(!scan.scan(br#"{"temperature": 0.5, "mod"#));
        assert!(scan.scan(br#"el" : "a\u0062c", "messages": ["#));
        assert_eq!(scan.model(), Some("abc"));
        assert!(model_scan().scan(b"[{\"model\": \"a\"}]"));
        assert!(model_scan().scan(br#"{"model": ["a"]"#));
        assert!(model_scan().scan(br#"{"n": {"model": "a"}}"#));
    }

    #[test]
    fn escaped_names_and_values_are_read() {
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
    fn fields_are_extracted_with_the_range_of_the_model() {
        let text = r#"{"user": 7, "n": {"key": "x"}, "model": "m\" ", "key": "a", "key": "b", "late": "l"}"#;
        for cut in 0..text.len() {
            let fields = Fields::new(["user", "key", "none"], Uses::default());
            let mut scan = JsonScan::new(fields.clone(), false);
            let (start, end) = text.split_at(cut);
            scan.scan(start.as_bytes());
            assert!(scan.scan(end.as_bytes()));
            let extracted = Extracted::of_json(fields, scan);
            assert_eq!(extracted.model(), Some("m\" "));
            let edit = extracted.edit_to_replace(&ModelName::new("n")).unwrap();
            assert_eq!(&text[edit.range], r#""m\" ""#);
            assert_eq!(extracted.field("key"), Some("a"));
            assert_eq!(extracted.field("user"), None);
            assert_eq!(extracted.field("late"), None);
        }
    }

    #[test]
    fn second_model_is_ambiguous_if_the_model_is_decisive() {
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
    fn text_in_utf_16_has_no_model() {
        // `json` of Python recognizes UTF-16 by its zero bytes, and reads other characters from these bytes.
        assert_eq!(model("{\0\"\0?\",\"model\":\"a\","), None);
    }

    #[test]
    fn model_can_be_listed_as_a_field() {
        let fields = Fields::new(["model"], Uses::default());
        let mut scan = JsonScan::new(fields.clone(), false);
        assert!(scan.scan(br#"{"model": "a","#));
        assert_eq!(Extracted::of_json(fields, scan).field("model"), Some("a"));
    }

    #[test]
    fn position_for_a_new_field_is_known_if_there_is_no_model() {
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
            let mut scan = model_scan();
            scan.scan(start);
            scan.scan(end);
            prop_assert_eq!(scan.model(), expected);
            let pretty = serde_json::to_string_pretty(&json!({"a": value, "model": "x"})).unwrap();
            let found_model = model(&pretty);
            prop_assert_eq!(found_model.as_deref(), Some("x"));
        }
    }
}
