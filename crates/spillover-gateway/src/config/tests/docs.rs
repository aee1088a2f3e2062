//! The pages say what is so.

use std::fs;

use serde_json::Value;

use super::{
    directory::Directory,
    file::{load_with, variables_of},
};
use crate::config;

const DOCS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs");

#[test]
fn every_key_is_in_the_reference() {
    let page = fs::read_to_string(format!("{DOCS}/configuration.md")).unwrap();
    let schema: Value = serde_json::from_str(&config::schema()).unwrap();
    let mut keys = Vec::new();
    collect(&schema, &mut keys);
    assert!(keys.len() > 60, "{keys:?}");
    for key in keys {
        let is_there = [
            format!("`{key}`"),
            format!("`{{ {key} ="),
            format!("{key} = "),
        ]
        .iter()
        .any(|text| page.contains(text));
        assert!(is_there, "{key}");
    }
}

fn collect(schema: &Value, keys: &mut Vec<String>) {
    match schema {
        Value::Object(object) => {
            if let Some(Value::Object(properties)) = object.get("properties") {
                keys.extend(properties.keys().cloned());
            }
            object.values().for_each(|value| collect(value, keys));
        }
        Value::Array(list) => list.iter().for_each(|value| collect(value, keys)),
        _ => {}
    }
}

#[test]
fn every_example_is_good() {
    let mut count = 0;
    let pages = fs::read_dir(DOCS).unwrap();
    let pages = pages.map(|entry| entry.unwrap().path());
    for path in pages.chain([format!("{DOCS}/../README.md").into()]) {
        let page = fs::read_to_string(&path).unwrap();
        // What is not complete is marked as ```toml fragment.
        for example in page.split("\n```toml\n").skip(1) {
            let (example, _) = example.split_once("\n```").expect("an end");
            if example.starts_with("[dependencies]") {
                continue;
            }
            let page = path.display();
            good(example).unwrap_or_else(|error| panic!("{page}: {error}\n{example}"));
            count += 1;
        }
    }
    assert!(count >= 4, "{count}");
}

/// Loads it, with all files and variables that it names.
fn good(example: &str) -> Result<(), config::ConfigError> {
    let directory = Directory::new();
    let mut text = example.to_owned();
    for (number, quoted) in example.split('"').skip(1).step_by(2).enumerate() {
        if quoted.starts_with("/etc/") || quoted.starts_with("/run/") {
            let file = directory.write(&number.to_string(), format!("secret-{number}\n"));
            text = text.replace(&format!("\"{quoted}\""), &format!("\"{file}\""));
        }
    }
    load_with(&directory, &text, &[], &variables_of(example)).map(drop)
}
