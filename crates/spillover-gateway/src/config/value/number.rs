use std::{borrow::Cow, fmt, marker::PhantomData, time::Duration};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer, Serializer,
    de::{Error, IntoDeserializer, Visitor},
};

use super::{Format, parsed, refused};

/// A duration with its unit, such as `100ms`, `5s` or `2m`: at least `MILLIS` milliseconds and at most `DAYS` days.
pub(crate) struct Time<const MILLIS: u64, const DAYS: u64>;

/// A timeout.
pub(crate) type Timeout = Time<1, 1>;

/// A time that may be zero.
pub(crate) type Pause = Time<0, 1>;

/// A cooldown after a quota is used up. A quota may be of a month.
pub(crate) type LongPause = Time<0, 31>;

impl<const MILLIS: u64, const DAYS: u64> Format for Time<MILLIS, DAYS> {
    type Value = Duration;

    fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        const EXPECTED: &str =
            "a duration with its unit as a string, such as \"5s\", \"100ms\" or \"2m\"";
        let time = parsed(deserializer, EXPECTED, |text| {
            let text = text.trim();
            if text.parse::<f64>().is_ok() {
                return Err("a unit after the number, such as 5s, 100ms or 2m");
            }
            humantime::parse_duration(text).map_err(|_| EXPECTED)
        })?;
        let (least, most) = (Duration::from_millis(MILLIS), DAYS * DAY);
        if !(least..=Duration::from_secs(most)).contains(&time) {
            let least = duration_text(least);
            let most = match DAYS {
                1 => "24h".to_owned(),
                days => format!("{days}days"),
            };
            return Err(refused(&format!("a duration from {least} to {most}")));
        }
        Ok(time)
    }

    fn serialize<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&duration_text(*time))
    }
}

/// Writes a duration as it stands in a file: `1h30m`.
pub(super) fn duration_text(time: Duration) -> String {
    if time.is_zero() || !time.subsec_nanos().is_multiple_of(1_000_000) {
        return humantime::format_duration(time).to_string();
    }
    let mut text = String::new();
    let mut rest = time.as_millis();
    for (unit, millis) in [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)] {
        if rest >= millis {
            text += &format!("{}{unit}", rest / millis);
            rest %= millis;
        }
    }
    text
}

impl<const MILLIS: u64, const DAYS: u64> JsonSchema for Time<MILLIS, DAYS> {
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A duration with its unit.",
            "type": "string",
            "pattern": "[a-zµ]",
            "examples": ["100ms", "5s", "2m", "1h30m"],
        })
    }
}

/// A number of bytes from `LEAST` to `MOST`, such as `64KiB` or `32MiB`.
pub(crate) struct Bytes<N, const LEAST: u64, const MOST: u64>(PhantomData<N>);

/// A size without bounds.
pub(crate) type Size<N> = Bytes<N, 0, { u64::MAX }>;

/// The size of a request head. hyper does not read with less than 8 KiB.
pub(crate) type HeadSize = Bytes<usize, { 8 << 10 }, { 16 << 20 }>;

impl<N, const LEAST: u64, const MOST: u64> Format for Bytes<N, LEAST, MOST>
where
    N: Copy + TryFrom<u64>,
    u64: TryFrom<N>,
{
    type Value = N;

    fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<N, D::Error> {
        let bytes = deserializer.deserialize_any(SizeVisitor)?;
        if !(LEAST..=MOST).contains(&bytes) {
            let (least, most) = (size_text(LEAST), size_text(MOST));
            return Err(refused(&format!("a size from {least} to {most}")));
        }
        N::try_from(bytes).map_err(|_| refused("a size that this machine can address"))
    }

    fn serialize<S: Serializer>(bytes: &N, serializer: S) -> Result<S::Ok, S::Error> {
        let bytes = u64::try_from(*bytes).unwrap_or(u64::MAX);
        serializer.serialize_str(&size_text(bytes))
    }
}

struct SizeVisitor;

impl Visitor<'_> for SizeVisitor {
    type Value = u64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a size such as \"64KiB\" or \"32MiB\", or a whole number of bytes")
    }

    fn visit_i64<E: Error>(self, bytes: i64) -> Result<u64, E> {
        u64::try_from(bytes).map_err(|_| refused(&self.to_string()))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<u64, E> {
        parse_size(text.trim()).ok_or_else(|| refused(&self.to_string()))
    }
}

impl fmt::Display for SizeVisitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.expecting(f)
    }
}

fn parse_size(text: &str) -> Option<u64> {
    let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let mut units = UNITS.iter();
    let (_, bytes) = units.find(|(name, _)| name.eq_ignore_ascii_case(&text[number.len()..]))?;
    number.trim_end().parse::<u64>().ok()?.checked_mul(*bytes)
}

/// Writes a size with the largest unit that leaves a whole number: `64KiB`.
fn size_text(size: u64) -> String {
    let mut units = UNITS.iter().filter(|(name, _)| name.ends_with("iB"));
    match units.find(|(_, bytes)| size != 0 && size.is_multiple_of(*bytes)) {
        Some((unit, bytes)) => format!("{}{unit}", size / bytes),
        None => format!("{size}B"),
    }
}

/// The units with their bytes, larger ones first.
const UNITS: [(&str, u64); 7] = [
    ("GiB", 1 << 30),
    ("GB", 1_000_000_000),
    ("MiB", 1 << 20),
    ("MB", 1_000_000),
    ("KiB", 1 << 10),
    ("kB", 1_000),
    ("B", 1),
];

impl<N, const LEAST: u64, const MOST: u64> JsonSchema for Bytes<N, LEAST, MOST> {
    fn schema_name() -> Cow<'static, str> {
        "Size".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A number of bytes, or one with its unit: B, kB, MB, GB, KiB, MiB or GiB.",
            "anyOf": [
                { "type": "integer", "minimum": 0 },
                { "type": "string", "pattern": "^[0-9]+ ?([kKmMgG][iI]?)?[bB]$" },
            ],
            "examples": ["64KiB", "32MiB", 65536],
        })
    }
}

/// A whole number from 1 to `MOST`.
#[derive(JsonSchema)]
#[schemars(inline, with = "u32", description = "", extend("minimum" = 1, "maximum" = MOST))]
pub(crate) struct Whole<const MOST: u32>;

impl<const MOST: u32> Format for Whole<MOST> {
    type Value = usize;

    fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
        let number = <u32 as Deserialize>::deserialize(deserializer)?;
        if !(1..=MOST).contains(&number) {
            return Err(match MOST {
                u32::MAX => refused("a whole number of at least 1"),
                most => refused(&format!("a whole number from 1 to {most}")),
            });
        }
        Ok(usize::try_from(number).unwrap_or(usize::MAX))
    }

    fn serialize<S: Serializer>(number: &usize, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(*number as u64)
    }
}

/// A limit of the format `F`, or `"off"`.
pub(crate) struct Limit<F>(PhantomData<F>);

impl<F: Format> Format for Limit<F> {
    type Value = Option<F::Value>;

    fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(Self(PhantomData))
    }

    fn serialize<S: Serializer>(limit: &Self::Value, serializer: S) -> Result<S::Ok, S::Error> {
        match limit {
            None => serializer.serialize_str(OFF),
            Some(limit) => F::serialize(limit, serializer),
        }
    }
}

impl<F: Format> Visitor<'_> for Limit<F> {
    type Value = Option<F::Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a limit or \"off\"")
    }

    fn visit_i64<E: Error>(self, limit: i64) -> Result<Self::Value, E> {
        F::deserialize(limit.into_deserializer()).map(Some)
    }

    fn visit_str<E: Error>(self, limit: &str) -> Result<Self::Value, E> {
        if limit == OFF {
            return Ok(None);
        }
        F::deserialize(limit.into_deserializer()).map(Some)
    }
}

impl<F: JsonSchema> JsonSchema for Limit<F> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Limit_{}", F::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [generator.subschema_for::<F>(), { "const": OFF }] })
    }
}

const OFF: &str = "off";

/// Seconds of a day.
const DAY: u64 = 24 * 60 * 60;
