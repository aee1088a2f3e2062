use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher};
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
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
        // To read them, as is done to see whether they changed, is an event as well.
        if !event.is_ok_and(|event| event.kind.is_access()) {
            changed.notify_one();
        }
    })?;
    let directories: BTreeSet<&Path> = files.iter().map(|file| directory(file)).collect();
    for directory in directories {
        watcher.watch(directory, RecursiveMode::NonRecursive)?;
    }
    Ok(watcher)
}

fn directory(file: &Path) -> &Path {
    match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

const LOOK_EVERY: Duration = Duration::from_secs(5);
