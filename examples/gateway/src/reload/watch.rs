use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use notify::{
    Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher,
    event::{AccessKind, AccessMode},
};
use tokio::{sync::Notify, time::sleep};

/// Notices that files may have changed.
///
/// Their directories are watched, not they: editors and Kubernetes put another file, or another directory behind a link, in
/// the place of the old one.
#[derive(Debug)]
pub(super) struct Watch {
    changed: Arc<Notify>,
    /// `None` where the system has no watches to give: then it is time to look every now and then.
    watcher: Option<RecommendedWatcher>,
    is_needed: bool,
}

impl Watch {
    pub(super) fn new(files: &[PathBuf]) -> Self {
        let changed = Arc::new(Notify::new());
        let watcher = watch(files, Arc::clone(&changed));
        Self {
            watcher: watcher
                .inspect_err(|error| {
                    tracing::warn!(%error, "files cannot be watched, and are looked at every 5 s");
                })
                .ok(),
            changed,
            is_needed: !files.is_empty(),
        }
    }

    /// Waits for a change.
    pub(super) async fn changed(&mut self) {
        if self.watcher.is_none() && self.is_needed {
            sleep(LOOK_EVERY).await;
            return;
        }
        self.changed.notified().await;
    }

    /// Lets the next wait end at once.
    pub(super) fn look_again(&self) {
        self.changed.notify_one();
    }
}

fn watch(files: &[PathBuf], changed: Arc<Notify>) -> notify::Result<RecommendedWatcher> {
    let mut watcher = notify::recommended_watcher(move |event| {
        if may_change(&event) {
            changed.notify_one();
        }
    })?;
    let directories: BTreeSet<&Path> = files.iter().map(|file| directory(file)).collect();
    for directory in directories {
        watcher.watch(directory, RecursiveMode::NonRecursive)?;
    }
    Ok(watcher)
}

/// That a file is read is no change: the gateway itself reads them. An error may be the loss of one that is.
fn may_change(event: &notify::Result<Event>) -> bool {
    let kind = event.as_ref().map(|event| event.kind);
    match kind {
        Ok(EventKind::Access(access)) => access == AccessKind::Close(AccessMode::Write),
        _ => true,
    }
}

fn directory(file: &Path) -> &Path {
    match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

const LOOK_EVERY: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use std::{env, fs, process};

    use tokio::time::timeout;

    use super::*;

    /// A directory of this test, with a file in it.
    struct Place(PathBuf);

    impl Place {
        fn new(name: &str) -> Self {
            let place = env::temp_dir().join(format!("spillover-watch-{name}-{}", process::id()));
            fs::create_dir_all(&place).unwrap();
            fs::write(place.join("file"), "1").unwrap();
            Self(place)
        }

        fn file(&self) -> PathBuf {
            self.0.join("file")
        }
    }

    impl Drop for Place {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[tokio::test]
    async fn a_write_is_noticed_and_so_is_another_file_in_the_place() {
        let place = Place::new("write");
        let mut watch = Watch::new(&[place.file()]);
        let mut change = async || timeout(Duration::from_secs(20), watch.changed()).await;
        fs::write(place.file(), "2").unwrap();
        assert!(change().await.is_ok());
        fs::write(place.0.join("new"), "3").unwrap();
        fs::rename(place.0.join("new"), place.file()).unwrap();
        assert!(change().await.is_ok());
    }

    #[test]
    fn to_read_a_file_is_no_change() {
        let place = Place::new("read");
        let (tell, told) = std::sync::mpsc::channel();
        let mut watcher = notify::recommended_watcher(move |event| {
            let _ = tell.send(may_change(&event));
        })
        .unwrap();
        watcher
            .watch(&place.0, RecursiveMode::NonRecursive)
            .unwrap();
        fs::read(place.file()).unwrap();
        fs::write(place.file(), "2").unwrap();
        // They come in their order: those of the read before those of the write.
        let mut seen = Vec::new();
        while !seen.ends_with(&[true]) {
            seen.push(told.recv_timeout(Duration::from_secs(20)).unwrap());
        }
        assert!(
            seen.iter().rev().skip(1).all(|is_change| !is_change),
            "{seen:?}"
        );
        assert!(seen.len() > 1, "the read was not seen at all");
    }
}
