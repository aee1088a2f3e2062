use std::{
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};

use super::{
    error::ScriptedError,
    handle::BodyHandle,
    script::{Script, Step},
};
use crate::sync::lock;

/// A body that plays a script. See the [module documentation](super).
///
/// The body ends with its script. By default its size is unknown, and [`Body::is_end_stream`] is true as soon as no
/// step is left.
#[derive(Debug, Default)]
#[must_use]
pub struct ScriptedBody {
    script: Arc<Mutex<Script>>,
    size: Size,
}

#[derive(Debug, Default)]
enum Size {
    #[default]
    Unknown,
    Exact,
    Fixed(SizeHint),
}

impl ScriptedBody {
    /// Creates an empty script: a body that ends at once.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a data frame.
    pub fn data(self, data: impl Into<Bytes>) -> Self {
        self.then(Step::Data(data.into()))
    }

    /// Adds trailers.
    pub fn trailers(self, trailers: HeaderMap) -> Self {
        self.then(Step::Trailers(trailers))
    }

    /// Adds an error, which ends the body.
    pub fn error(self, message: impl Into<String>) -> Self {
        self.then(Step::Error(ScriptedError::new(message.into())))
    }

    /// Adds one `Pending` that wakes the task at once.
    pub fn pending(self) -> Self {
        self.then(Step::Pending)
    }

    /// Adds a pause: the body is `Pending` until the handle pushes a frame or [resumes](BodyHandle::resume) it.
    pub fn pause(self) -> Self {
        self.then(Step::Pause)
    }

    /// Makes [`Body::size_hint`] the number of data bytes left in the script.
    pub fn with_exact_size(mut self) -> Self {
        self.size = Size::Exact;
        self
    }

    /// Makes [`Body::size_hint`] always `hint`, even if it is wrong.
    pub fn with_size_hint(mut self, hint: SizeHint) -> Self {
        self.size = Size::Fixed(hint);
        self
    }

    /// Returns a handle that observes this body and feeds it.
    pub fn handle(&self) -> BodyHandle {
        BodyHandle::new(Arc::clone(&self.script))
    }

    fn then(self, step: Step) -> Self {
        lock(&self.script).steps.push_back(step);
        self
    }
}

impl Body for ScriptedBody {
    type Data = Bytes;
    type Error = ScriptedError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ScriptedError>>> {
        lock(&self.script).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        lock(&self.script).is_over()
    }

    fn size_hint(&self) -> SizeHint {
        match &self.size {
            Size::Unknown => SizeHint::default(),
            Size::Exact => SizeHint::with_exact(lock(&self.script).bytes_left()),
            Size::Fixed(hint) => *hint,
        }
    }
}

impl Drop for ScriptedBody {
    fn drop(&mut self) {
        lock(&self.script).dropped();
    }
}
