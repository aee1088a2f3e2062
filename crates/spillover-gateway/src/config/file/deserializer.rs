use std::{iter::Enumerate, slice};

use serde::{
    de::{
        DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, SeqAccess, Visitor,
        value::{MapAccessDeserializer, StrDeserializer},
    },
    forward_to_deserialize_any,
};
use toml::{
    Spanned,
    de::{DeString, DeTable, DeValue},
    map,
};

use super::{
    is_taken_out,
    mistake::{Mistake, Segment},
};

/// A value of the file.
#[derive(Clone, Copy)]
pub(super) struct Value<'a>(pub(super) &'a DeValue<'a>);

impl<'de> Deserializer<'de> for Value<'de> {
    type Error = Mistake;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        match self.0 {
            DeValue::String(text) => visitor.visit_borrowed_str(text),
            DeValue::Integer(digits) => {
                match i64::from_str_radix(digits.as_str(), digits.radix()) {
                    Ok(number) => visitor.visit_i64(number),
                    Err(_) => Err(Mistake::expected(&visitor)),
                }
            }
            DeValue::Float(digits) => match digits.as_str().parse() {
                Ok(number) => visitor.visit_f64(number),
                Err(_) => Err(Mistake::expected(&visitor)),
            },
            DeValue::Boolean(is_true) => visitor.visit_bool(*is_true),
            // No setting is a date.
            DeValue::Datetime(_) => Err(Mistake::expected(&visitor)),
            DeValue::Array(list) => visitor.visit_seq(Elements(list.iter().enumerate())),
            DeValue::Table(table) => visitor.visit_map(Entries::new(table)),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Mistake> {
        visitor.visit_newtype_struct(self)
    }

    /// Takes a table only: serde would take a list for the values of the keys, in their order.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mistake> {
        match self.0 {
            DeValue::Table(_) => self.deserialize_any(visitor),
            _ => Err(Mistake::expected(&visitor)),
        }
    }

    /// Takes a word, or a table with one key.
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mistake> {
        match self.0 {
            DeValue::String(text) => {
                let word: StrDeserializer<'_, Mistake> = (&**text).into_deserializer();
                visitor.visit_enum(word)
            }
            DeValue::Table(table) if table.len() == 1 => {
                visitor.visit_enum(MapAccessDeserializer::new(Entries::new(table)))
            }
            _ => Err(Mistake::one_of(variants)),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map identifier ignored_any
    }
}

/// The elements of a list, with their numbers.
struct Elements<'a>(Enumerate<slice::Iter<'a, Spanned<DeValue<'a>>>>);

impl<'de> SeqAccess<'de> for Elements<'de> {
    type Error = Mistake;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Mistake> {
        let elements = self.0.by_ref();
        let Some((index, element)) = elements.find(|(_, element)| !is_taken_out(element)) else {
            return Ok(None);
        };
        let value = seed.deserialize(Value(element.get_ref()));
        value
            .map(Some)
            .map_err(|mistake| mistake.under(Segment::Index(index)))
    }
}

/// The entries of a table, and the last one whose key was read.
struct Entries<'a> {
    entries: map::Iter<'a, Spanned<DeString<'a>>, Spanned<DeValue<'a>>>,
    entry: Option<(&'a str, Value<'a>)>,
}

impl<'a> Entries<'a> {
    fn new(table: &'a DeTable<'a>) -> Self {
        Self {
            entries: table.iter(),
            entry: None,
        }
    }
}

impl<'de> MapAccess<'de> for Entries<'de> {
    type Error = Mistake;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Mistake> {
        let Some((key, value)) = self.entries.next() else {
            return Ok(None);
        };
        let key = key.get_ref().as_ref();
        self.entry = Some((key, Value(value.get_ref())));
        let deserializer: StrDeserializer<'_, Mistake> = key.into_deserializer();
        let key_or_mistake = seed.deserialize(deserializer).map(Some);
        key_or_mistake.map_err(|mistake| mistake.under(Segment::Key(key.to_owned())))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Mistake> {
        let Some((key, value)) = self.entry else {
            return Err(Mistake::new("not set"));
        };
        let value = seed.deserialize(value);
        value.map_err(|mistake| mistake.under(Segment::Key(key.to_owned())))
    }
}
