use std::{
    fmt,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
};

use spillover_hint::Report;

/// The report on a refusal whose body has not arrived yet. If it is in the extensions of a response, the request moves
/// on at once, and the rest of the refusal is read while the next attempt is under way.
///
/// The layer that makes the next attempt takes the report from the response and [reads](Self::poll_read) it. Clones
/// share one reader.
///
/// ```
/// use std::{future::ready, task::{Context, Poll, Waker}};
///
/// use http::{HeaderMap, StatusCode};
/// use spillover_core::layer::LateReport;
/// use spillover_hint::{Refusal, Report};
///
/// let report = Report::from_head(StatusCode::PAYMENT_REQUIRED, &HeaderMap::new()).expect("a refusal");
/// let late = LateReport::new(ready(report));
/// late.on_report(|report| assert_eq!(report.refusal(), Refusal::Quota));
/// let mut context = Context::from_waker(Waker::noop());
/// assert_eq!(late.poll_read(&mut context), Poll::Ready(()));
/// ```
#[derive(Clone)]
pub struct LateReport {
    shared: Arc<Mutex<Late>>,
}

struct Late {
    /// `None` when the report is complete.
    reading: Option<Pin<Box<dyn Future<Output = Report> + Send>>>,
    on_report: Option<OnReport>,
}

type OnReport = Box<dyn FnOnce(&Report) + Send>;

impl LateReport {
    /// Creates the report from the future that reads it.
    pub fn new(reading: impl Future<Output = Report> + Send + 'static) -> Self {
        let late = Late {
            reading: Some(Box::pin(reading)),
            on_report: None,
        };
        Self {
            shared: Arc::new(Mutex::new(late)),
        }
    }

    /// Sets the function that gets the complete report.
    pub fn on_report(&self, then: impl FnOnce(&Report) + Send + 'static) {
        self.lock().on_report = Some(Box::new(then));
    }

    /// Polls the reader. Ready when the report is complete and its function has run.
    pub fn poll_read(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut late = self.lock();
        let Some(reading) = &mut late.reading else {
            return Poll::Ready(());
        };
        let report = ready!(reading.as_mut().poll(cx));
        late.reading = None;
        if let Some(then) = late.on_report.take() {
            then(&report);
        }
        Poll::Ready(())
    }

    fn lock(&self) -> MutexGuard<'_, Late> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for LateReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LateReport").finish_non_exhaustive()
    }
}
