use std::{path::Path, sync::Arc, time::Duration};

use notify::{
    Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher,
    event::{AccessKind, AccessMode},
};
use tokio::sync::Notify;

use super::places::Places;

/// Notices that files may have changed.
///
/// Watches directories and not files, because editors and Kubernetes replace files and links. Polling finds the rest,
/// e.g. a directory further up that was moved, or a file on a network file system.
#[derive(Debug, Default)]
pub(super) struct Watch {
    changed: Arc<Notify>,
    /// Watches until it is dropped.
    _watcher: Option<RecommendedWatcher>,
    is_polling: bool,
}

impl Watch {
    /// Notifies `changed` about changes. With `may_log`, logs files that cannot be watched.
    pub(super) fn new<'a>(
        files: impl Iterator<Item = &'a Path> + Clone,
        changed: Arc<Notify>,
        may_log: bool,
    ) -> Self {
        let places = Places::of(files.clone());
        let watch = Self::of(places.clone(), Arc::clone(&changed), may_log);
        // A directory that came or went meanwhile has told no watcher. The next watch has the right places.
        if Places::of(files) != places {
            changed.notify_one();
        }
        watch
    }

    fn of(places: Places, changed: Arc<Notify>, may_log: bool) -> Self {
        let (watcher, failed) = match places.directories.is_empty() {
            true => (None, None),
            false => watch(places, Arc::clone(&changed)),
        };
        if let Some(error) = failed.as_ref().filter(|_| may_log) {
            tracing::warn!(%error, "files cannot be watched, and are looked at every 5 s");
        }
        Self {
            changed,
            _watcher: watcher,
            is_polling: failed.is_some(),
        }
    }

    /// Waits for a change.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Returns the interval at which files are compared without a notification.
    pub(super) fn poll_interval(&self) -> Duration {
        match self.is_polling {
            true => POLL_INTERVAL,
            false => WATCHED_POLL_INTERVAL,
        }
    }

    /// Returns true if some files cannot be watched.
    pub(super) fn is_polling(&self) -> bool {
        self.is_polling
    }

    /// Returns the handle that is notified of changes.
    pub(super) fn notify(&self) -> Arc<Notify> {
        Arc::clone(&self.changed)
    }
}

/// Watches the directories, and returns the first error.
fn watch(
    places: Places,
    changed: Arc<Notify>,
) -> (Option<RecommendedWatcher>, Option<notify::Error>) {
    let Places {
        directories,
        entries,
    } = places;
    let watched = directories.clone();
    let on_event = move |event: notify::Result<Event>| {
        // Ignores events of other files, and read events, which the comparison itself causes.
        let is_irrelevant = event.is_ok_and(|event| {
            is_reading(event.kind)
                || !event.need_rescan()
                    && !event
                        .paths
                        .iter()
                        .any(|path| entries.contains(path) || watched.contains(path))
        });
        if !is_irrelevant {
            changed.notify_one();
        }
    };
    let mut watcher = match notify::recommended_watcher(on_event) {
        Ok(watcher) => watcher,
        Err(error) => return (None, Some(error)),
    };
    let failed = directories
        .iter()
        .filter_map(|directory| watcher.watch(directory, RecursiveMode::NonRecursive).err())
        .last();
    (Some(watcher), failed)
}

fn is_reading(kind: EventKind) -> bool {
    let written = EventKind::Access(AccessKind::Close(AccessMode::Write));
    kind.is_access() && kind != written
}

const POLL_INTERVAL: Duration = Duration::from_secs(5);
const WATCHED_POLL_INTERVAL: Duration = Duration::from_secs(60);
