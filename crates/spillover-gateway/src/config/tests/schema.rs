use std::{env, fs};

use crate::config;

/// `UPDATE=1` writes it anew.
#[test]
fn the_schema_in_the_repository_is_that_of_the_tables() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/spillover.schema.json");
    let schema = config::schema();
    if env::var_os("UPDATE").is_some() {
        fs::write(path, &schema).unwrap();
    }
    let kept = fs::read_to_string(path).unwrap_or_default();
    assert!(
        kept == schema,
        "the tables have changed; run this test with UPDATE=1"
    );
}
