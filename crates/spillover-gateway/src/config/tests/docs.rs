//! Tests of the pages: the reference of the keys is that of the tables, and the examples are valid.

use std::fs;

use serde_json::Value;

use super::{
    directory::Directory,
    file::{load_with, variables_of},
    schema::assert_file,
};
use crate::config;

const DOCS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs");

fn page() -> String {
    fs::read_to_string(format!("{DOCS}/configuration.md")).unwrap()
}

fn schema() -> Value {
    serde_json::from_str(&config::schema()).unwrap()
}

#[test]
fn every_key_is_in_the_reference() {
    let page = page();
    let mut keys = Vec::new();
    collect(&schema(), &mut keys);
    assert!(keys.len() > 60, "{keys:?}");
    for key in keys {
        let mut texts = [
            format!("`{key}`"),
            format!("`{{ {key} ="),
            format!("{key} = "),
        ]
        .into_iter();
        assert!(texts.any(|text| page.contains(&text)), "{key}");
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

/// The rows of each table `| key | default | |` come from the doc comments, in the order of the page. The heading before it
/// names the table of the file. New keys are appended.
#[test]
fn tables_of_keys_are_those_of_the_doc_comments() {
    let (page, schema) = (page(), schema());
    let mut text = String::new();
    let mut table = &schema;
    let mut lines = page.lines().peekable();
    while let Some(line) = lines.next() {
        text += &format!("{line}\n");
        if let Some(heading) = line.strip_prefix("### ") {
            table = table_at(&schema, heading.trim_matches(['`', '[', ']']));
        }
        if line == "| key | default | |" {
            text += &format!("{}\n", lines.next().expect("a line below the head"));
            let mut keys = Vec::new();
            while let Some(row) = lines.next_if(|line| line.starts_with("| `")) {
                keys.push(row.split('`').nth(1).unwrap());
            }
            let properties = table["properties"].as_object().expect("a table");
            let known = keys.iter().filter(|key| properties.contains_key(**key));
            let new = properties.keys().filter(|key| !keys.contains(&&***key));
            for key in known.copied().chain(new.map(|key| &**key)) {
                text += &row(table, key);
            }
        }
    }
    assert_file(&format!("{DOCS}/configuration.md"), &text);
}

/// Returns the schema of a table by its path, such as `pools.backends`. Other headings belong to the whole file.
fn table_at<'a>(schema: &'a Value, path: &str) -> &'a Value {
    let mut table = schema;
    for key in path.split('.') {
        let property = &table["properties"][key];
        let list = property.get("items").unwrap_or(property);
        let Some(reference) = list["$ref"].as_str() else {
            return table;
        };
        let name = reference.trim_start_matches("#/$defs/");
        table = &schema["$defs"][name];
    }
    table
}

fn row(table: &Value, key: &str) -> String {
    let property = &table["properties"][key];
    let description = property["description"].as_str().expect(key);
    let description = description.replace('\n', " ");
    let is_required = table["required"]
        .as_array()
        .is_some_and(|keys| keys.iter().any(|required| required == key));
    let (description, default) = match description.split_once(" Default: ") {
        Some((description, default)) => (description, default.trim_end_matches('.').to_owned()),
        None if is_required => (&*description, "required".to_owned()),
        None => match &property["default"] {
            Value::Null | Value::Object(_) => (&*description, String::new()),
            default => (&*description, format!("`{default}`")),
        },
    };
    let default = if default.is_empty() {
        " ".to_owned()
    } else {
        format!(" {default} ")
    };
    format!("| `{key}` |{default}| {description} |\n")
}

#[test]
fn examples_of_all_pages_are_valid() {
    let mut count = 0;
    let pages = fs::read_dir(DOCS).unwrap();
    let pages = pages.map(|entry| entry.unwrap().path());
    for path in pages.chain([format!("{DOCS}/../README.md").into()]) {
        let page = fs::read_to_string(&path).unwrap();
        // Parts of files are marked as ```toml fragment.
        for example in page.split("\n```toml\n").skip(1) {
            let (example, _) = example.split_once("\n```").expect("an end");
            if example.starts_with("[dependencies]") {
                continue;
            }
            let page = path.display();
            load(example).unwrap_or_else(|error| panic!("{page}: {error}\n{example}"));
            count += 1;
        }
    }
    assert!(count >= 4, "{count}");
}

/// Loads an example, with all files and variables that it names.
fn load(example: &str) -> Result<(), config::ConfigError> {
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
