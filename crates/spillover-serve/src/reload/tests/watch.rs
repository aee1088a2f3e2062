use std::{cell::Cell, fs, iter, path::Path, sync::Arc};

use futures_util::FutureExt;
use tempfile::TempDir;
use tokio::sync::Notify;

use crate::reload::watch::Watch;

/// Sets up a watch of `file`, calls `meanwhile` once the directories are watched, and returns whether a change is told.
fn tells_of(file: &Path, meanwhile: impl Fn()) -> bool {
    let walks = Cell::new(0);
    let files = iter::once(file).inspect(|_| match walks.replace(walks.get() + 1) {
        0 => {}
        _ => meanwhile(),
    });
    let watch = Watch::new(files, Arc::new(Notify::new()), false);
    assert!(!watch.is_polling());
    watch.changed().now_or_never().is_some()
}

#[test]
fn directory_that_comes_while_the_watch_is_set_up_is_a_change() {
    let directory = TempDir::new().unwrap();
    let missing = directory.path().join("etc");
    let file = missing.join("file");
    assert!(!tells_of(&file, || {}));
    assert!(tells_of(&file, || fs::create_dir(&missing).unwrap()));
}
