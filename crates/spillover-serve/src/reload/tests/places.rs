use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use tempfile::TempDir;

use crate::reload::places::Places;

/// Returns the watched directories and entries, relative to the directory of the test.
fn places(directory: &TempDir, file: &Path) -> (Vec<String>, Vec<String>) {
    // The directory of the test may be behind a link.
    let root = fs::canonicalize(directory).unwrap();
    let below = |paths: &mut dyn Iterator<Item = &PathBuf>| {
        paths
            .filter_map(|path| Some(path.strip_prefix(&root).ok()?.to_str()?.to_owned()))
            .collect()
    };
    let places = Places::of([file].into_iter());
    (
        below(&mut places.directories.iter()),
        below(&mut places.entries.iter()),
    )
}

#[track_caller]
fn assert_places(directory: &TempDir, file: &str, directories: &[&str], entries: &[&str]) {
    let (of_directories, of_entries) = places(directory, &directory.path().join(file));
    assert_eq!(of_directories, directories, "{file}");
    assert_eq!(of_entries, entries, "{file}");
}

#[test]
fn directory_of_a_file_is_watched() {
    let directory = TempDir::new().unwrap();
    fs::create_dir(directory.path().join("a")).unwrap();
    fs::write(directory.path().join("a/file"), "").unwrap();
    assert_places(&directory, "a/file", &["a"], &["a/file"]);
    assert_places(&directory, "a/../a/./file", &["a"], &["a/file"]);
}

#[test]
fn directory_of_each_link_on_the_path_is_watched() {
    let directory = TempDir::new().unwrap();
    let path = |name: &str| directory.path().join(name);
    // The layout of a Kubernetes volume, and a link to it from elsewhere.
    fs::create_dir_all(path("mount/..1")).unwrap();
    fs::write(path("mount/..1/file"), "").unwrap();
    symlink("..1", path("mount/..data")).unwrap();
    symlink("..data/file", path("mount/file")).unwrap();
    symlink(path("mount"), path("current")).unwrap();
    fs::create_dir(path("other")).unwrap();
    symlink("../current/file", path("other/link")).unwrap();
    let entries = ["mount/..1/file", "mount/..data", "mount/file"];
    assert_places(&directory, "mount/file", &["mount", "mount/..1"], &entries);
    assert_places(
        &directory,
        "other/link",
        &["", "mount", "mount/..1", "other"],
        &["current", entries[0], entries[1], entries[2], "other/link"],
    );
}

#[test]
fn directory_of_a_missing_file_is_watched() {
    let directory = TempDir::new().unwrap();
    let path = |name: &str| directory.path().join(name);
    assert_places(&directory, "not/there", &[""], &["not"]);
    symlink("not", path("link")).unwrap();
    assert_places(&directory, "link/there", &[""], &["link", "not"]);
    fs::write(path("not"), "a file in the place of a directory").unwrap();
    assert_places(&directory, "not/there", &["not"], &["not/there"]);
}

#[test]
fn circular_links_are_followed_a_limited_number_of_times() {
    let directory = TempDir::new().unwrap();
    symlink("b", directory.path().join("a")).unwrap();
    symlink("a", directory.path().join("b")).unwrap();
    assert_places(&directory, "a", &[""], &["a", "b"]);
}
