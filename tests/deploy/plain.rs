use serde_json::{Map, Value};

/// Unwraps a value of an expected type.
pub(crate) trait Plain {
    fn text(&self) -> &str;
    fn number(&self) -> u64;
    fn list(&self) -> &[Value];
    fn map(&self) -> &Map<String, Value>;
}

impl Plain for Value {
    fn text(&self) -> &str {
        let text = self.as_str();
        text.unwrap_or_else(|| panic!("{self} is no text"))
    }

    fn number(&self) -> u64 {
        let number = self.as_u64();
        number.unwrap_or_else(|| panic!("{self} is no number"))
    }

    fn list(&self) -> &[Value] {
        let list = self.as_array();
        list.unwrap_or_else(|| panic!("{self} is no list"))
    }

    fn map(&self) -> &Map<String, Value> {
        let map = self.as_object();
        map.unwrap_or_else(|| panic!("{self} is no map"))
    }
}
