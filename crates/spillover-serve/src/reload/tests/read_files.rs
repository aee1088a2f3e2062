use std::{fs, os::unix::net::UnixListener, path::Path};

use tempfile::TempDir;

use crate::reload::ReadFiles;

fn read(path: &Path) -> ReadFiles {
    let mut files = ReadFiles::default();
    let _ = files.read(path);
    files
}

#[test]
fn file_has_changed_when_its_contents_have() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("file");
    let missing = read(&path);
    assert_eq!(missing.now(), missing);

    fs::write(&path, "one").unwrap();
    assert_ne!(missing.now(), missing);
    let one = read(&path);
    fs::write(&path, "one").unwrap();
    assert_eq!(one.now(), one);
    fs::write(&path, "two").unwrap();
    assert_ne!(one.now(), one);
    fs::remove_file(&path).unwrap();
    assert_ne!(one.now(), one);
    assert!(!format!("{one:?}").contains("\"one"));
}

#[test]
fn first_contents_count_when_a_file_is_read_twice() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("file");
    fs::write(&path, "one").unwrap();
    let mut files = read(&path);
    fs::write(&path, "two").unwrap();
    assert_eq!(files.read(&path).unwrap(), b"two");
    assert_ne!(files.now(), files);
}

#[test]
fn pipes_and_endless_files_do_not_count_as_changed() {
    let directory = TempDir::new().unwrap();
    let socket = directory.path().join("socket");
    let _listener = UnixListener::bind(&socket).unwrap();
    let endless = Path::new("/dev/zero");
    for path in [directory.path(), &socket, endless] {
        let files = read(path);
        assert_eq!(files.now(), files, "{}", path.display());
    }
    let refused = ReadFiles::default().read(endless).unwrap_err();
    assert_eq!(refused.to_string(), "it is too long");
}
