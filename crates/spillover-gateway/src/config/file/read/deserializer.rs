use std::slice;

use serde::{
    de::{
        DeserializeSeed, Deserializer, Error, IntoDeserializer, MapAccess, SeqAccess, Unexpected,
        Visitor,
        value::{MapAccessDeserializer, StrDeserializer},
    },
    forward_to_deserialize_any,
};

use super::{
    mistake::Mistake,
    node::{Entry, Kind, Node},
    path::Segment,
};

impl<'de> Deserializer<'de> for &'de Node {
    type Error = Mistake;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        match &self.kind {
            Kind::Text(text) => visitor.visit_borrowed_str(text),
            Kind::Integer(number) => visitor.visit_i64(*number),
            Kind::Float(number) => visitor.visit_f64(*number),
            Kind::Truth(truth) => visitor.visit_bool(*truth),
            Kind::List(list) => visitor.visit_seq(List {
                nodes: list.iter(),
                index: 0,
            }),
            Kind::Table(entries) => visitor.visit_map(Table::new(entries)),
            Kind::Other | Kind::TakenOut => {
                Err(Mistake::invalid_type(Unexpected::Other("value"), &visitor))
            }
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

    /// A table; a list could pass for the values of its keys, in their order.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mistake> {
        match &self.kind {
            Kind::Table(entries) => visitor.visit_map(Table::new(entries)),
            _ => Err(Mistake::invalid_type(Unexpected::Other("value"), &visitor)),
        }
    }

    /// A word, or a table with one key.
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mistake> {
        match &self.kind {
            Kind::Text(text) => {
                let word: StrDeserializer<'_, Mistake> = text.as_str().into_deserializer();
                visitor.visit_enum(word)
            }
            Kind::Table(entries) => match &**entries {
                [entry] if variants.contains(&entry.key.as_str()) => {
                    visitor.visit_enum(MapAccessDeserializer::new(Table::new(entries)))
                }
                [entry] => Err(Mistake::unknown_variant(&entry.key, variants)),
                _ => Err(Mistake::one_of(variants)),
            },
            _ => Err(Mistake::one_of(variants)),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map identifier ignored_any
    }
}

struct List<'de> {
    nodes: slice::Iter<'de, Node>,
    index: usize,
}

impl<'de> SeqAccess<'de> for List<'de> {
    type Error = Mistake;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Mistake> {
        for node in self.nodes.by_ref() {
            let index = self.index;
            self.index += 1;
            if !node.is_taken_out() {
                let value = seed.deserialize(node).map(Some);
                return value.map_err(|mistake| mistake.under(Segment::Index(index)));
            }
        }
        Ok(None)
    }
}

struct Table<'de> {
    entries: slice::Iter<'de, Entry>,
    current: Option<&'de Entry>,
}

impl<'de> Table<'de> {
    fn new(entries: &'de [Entry]) -> Self {
        Self {
            entries: entries.iter(),
            current: None,
        }
    }
}

impl<'de> MapAccess<'de> for Table<'de> {
    type Error = Mistake;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Mistake> {
        self.current = self.entries.find(|entry| !entry.value.is_taken_out());
        let Some(entry) = self.current else {
            return Ok(None);
        };
        let key: StrDeserializer<'_, Mistake> = entry.key.as_str().into_deserializer();
        let key = seed.deserialize(key).map(Some);
        key.map_err(|mistake| mistake.under(Segment::Key(entry.key.clone())))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Mistake> {
        let Some(entry) = self.current else {
            return Err(Mistake::new("not set"));
        };
        let value = seed.deserialize(&entry.value);
        value.map_err(|mistake| mistake.under(Segment::Key(entry.key.clone())))
    }
}
