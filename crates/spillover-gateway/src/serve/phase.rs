use tokio::sync::watch;

/// How far the server is on its way out. It passes through these in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Phase {
    /// It is there for everybody.
    Serving,
    /// It still is, and asks to be sent nothing more: it says that it is not ready.
    Leaving,
    /// It accepts no more connections, and finishes the requests under way.
    Draining,
    /// It waits for nothing any more.
    Ended,
}

/// Tells the [`Phase`] that a server is in.
#[derive(Clone, Debug)]
pub struct Phases {
    current: watch::Receiver<Phase>,
}

impl Phases {
    pub(super) fn new() -> (watch::Sender<Phase>, Self) {
        let (enter, current) = watch::channel(Phase::Serving);
        (enter, Self { current })
    }

    /// The phase now.
    pub fn current(&self) -> Phase {
        *self.current.borrow()
    }

    /// Whether load balancers should send requests.
    pub fn is_ready(&self) -> bool {
        self.current() == Phase::Serving
    }

    /// Waits until it is in a phase after this one, and returns that.
    pub async fn after(&mut self, phase: Phase) -> Phase {
        let later = self.current.wait_for(|&current| current > phase).await;
        // When the server is gone, nobody says so.
        later.map_or(Phase::Ended, |later| *later)
    }

    /// Waits until it is in this phase, or in a later one.
    pub async fn reached(&mut self, phase: Phase) {
        // An error means the same: nobody is left who could say so.
        let _ = self.current.wait_for(|&current| current >= phase).await;
    }
}
