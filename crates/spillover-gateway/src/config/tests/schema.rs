use std::{env, fs};

use crate::config;

#[test]
fn schema_in_the_repository_is_that_of_the_tables() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/spillover.schema.json");
    assert_file(path, &config::schema());
}

/// Compares a text with the file at `path`, or rewrites the file when `UPDATE_GOLDEN=1` is set.
#[track_caller]
pub(super) fn assert_file(path: &str, text: &str) {
    if env::var("UPDATE_GOLDEN").is_ok_and(|value| value == "1") {
        fs::write(path, text).unwrap();
    }
    let kept = fs::read_to_string(path).unwrap_or_default();
    assert!(
        kept == text,
        "{path} is not that of the tables; set UPDATE_GOLDEN=1, run this test again and commit the file"
    );
}
