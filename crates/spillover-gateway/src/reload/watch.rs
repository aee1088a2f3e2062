use std::{path::Path, sync::Arc, time::Duration};

use notify::{
    Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher,
    event::{AccessKind, AccessMode},
};
use tokio::sync::Notify;

use super::places::Places;

/// Notices that files may have changed.
///
/// Directories are watched, and not files: editors and Kubernetes put another file, or another link, in the place of the old
/// one. What is not seen from there, such as a directory further up that was moved, or files on other machines, is found by
/// a look every now and then.
#[derive(Debug, Default)]
pub(super) struct Watch {
    changed: Arc<Notify>,
    /// It watches for as long as it is there.
    _watcher: Option<RecommendedWatcher>,
    is_in_vain: bool,
}

impl Watch {
    /// Tells `changed`, and says in the log what cannot be watched if it `may_tell`.
    pub(super) fn new<'a>(
        files: impl Iterator<Item = &'a Path>,
        changed: Arc<Notify>,
        may_tell: bool,
    ) -> Self {
        let places = Places::of(files);
        let (watcher, failed) = match places.directories.is_empty() {
            true => (None, None),
            false => watch(places, Arc::clone(&changed)),
        };
        if let Some(error) = failed.as_ref().filter(|_| may_tell) {
            tracing::warn!(%error, "files cannot be watched, and are looked at every 5 s");
        }
        Self {
            changed,
            _watcher: watcher,
            is_in_vain: failed.is_some(),
        }
    }

    /// Waits for a change.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// How often there may be a change that nobody tells of.
    pub(super) fn look_every(&self) -> Duration {
        match self.is_in_vain {
            true => LOOK_EVERY,
            false => LOOK_AT_LEAST_EVERY,
        }
    }

    /// Whether there are files that are not watched.
    pub(super) fn is_in_vain(&self) -> bool {
        self.is_in_vain
    }

    /// Who is told of changes.
    pub(super) fn teller(&self) -> Arc<Notify> {
        Arc::clone(&self.changed)
    }
}

/// As far as it can be, and why no further.
fn watch(
    places: Places,
    changed: Arc<Notify>,
) -> (Option<RecommendedWatcher>, Option<notify::Error>) {
    let Places {
        directories,
        entries,
    } = places;
    let watched = directories.clone();
    let tell = move |event: notify::Result<Event>| {
        // Other files are nobody's business, and to read them, as is done to see whether they changed, is no change.
        let is_of_none = event.is_ok_and(|event| {
            is_reading(event.kind)
                || !event.need_rescan()
                    && !event
                        .paths
                        .iter()
                        .any(|path| entries.contains(path) || watched.contains(path))
        });
        if !is_of_none {
            changed.notify_one();
        }
    };
    let mut watcher = match notify::recommended_watcher(tell) {
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

const LOOK_EVERY: Duration = Duration::from_secs(5);
const LOOK_AT_LEAST_EVERY: Duration = Duration::from_secs(60);
