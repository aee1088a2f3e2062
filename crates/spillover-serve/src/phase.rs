use tokio::sync::watch;

/// Phase of a server. A shutdown passes through the phases in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Phase {
    /// The server accepts connections and is ready.
    Serving,
    /// The server still accepts connections, but is not ready: load balancers should send no more requests.
    Leaving,
    /// The server accepts no connections, and finishes the requests in flight.
    Draining,
    /// The server ends without waiting for requests.
    Ended,
}

/// A receiver of the current [`Phase`] of a server.
#[derive(Clone, Debug)]
pub struct Phases {
    current: watch::Receiver<Phase>,
}

impl Phases {
    pub(super) fn new() -> (watch::Sender<Phase>, Self) {
        let (enter, current) = watch::channel(Phase::Serving);
        (enter, Self { current })
    }

    /// Returns the current phase.
    pub fn current(&self) -> Phase {
        *self.current.borrow()
    }

    /// Returns true if load balancers should send requests.
    pub fn is_ready(&self) -> bool {
        self.current() == Phase::Serving
    }

    /// Returns true if there is a phase that this receiver has not waited for. A server that is dropped counts as one.
    pub(crate) fn has_changed(&self) -> bool {
        self.current.has_changed().unwrap_or(true)
    }

    /// Waits for a phase after `phase`, and returns it.
    pub async fn after(&mut self, phase: Phase) -> Phase {
        let later = self.current.wait_for(|&current| current > phase).await;
        // The sender is dropped with the server.
        later.map_or(Phase::Ended, |later| *later)
    }

    /// Waits for `phase`, or for a later one.
    pub async fn reached(&mut self, phase: Phase) {
        // An error means that the server is dropped, which is later than every phase.
        let _ = self.current.wait_for(|&current| current >= phase).await;
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn phases_are_awaited_in_order() {
        let (enter, mut phases) = Phases::new();
        assert!(phases.is_ready());
        assert!(phases.after(Phase::Serving).now_or_never().is_none());
        enter.send_replace(Phase::Draining);
        assert!(!phases.is_ready());
        assert_eq!(phases.after(Phase::Serving).await, Phase::Draining);
        phases.reached(Phase::Leaving).await;
        assert!(phases.reached(Phase::Ended).now_or_never().is_none());
    }

    #[tokio::test]
    async fn dropped_server_counts_as_ended() {
        let (enter, mut phases) = Phases::new();
        drop(enter);
        assert_eq!(phases.after(Phase::Serving).await, Phase::Ended);
        phases.reached(Phase::Ended).await;
    }
}
