use tower::ServiceBuilder;

#[cfg(feature = "hedge")]
use crate::hedge::HedgeLayer;
#[cfg(feature = "peek")]
use crate::peek::StreamPeekLayer;
#[cfg(feature = "refusal")]
use crate::refusal::ReadRefusalLayer;
#[cfg(feature = "retry")]
use crate::retry::RetryThrottledLayer;
#[cfg(feature = "rewrite")]
use crate::rewrite::RewriteRequestLayer;
#[cfg(feature = "select")]
use crate::select::PrioritySelectLayer;
#[cfg(feature = "stack")]
use crate::stack::SpilloverLayer;
#[cfg(feature = "throttle")]
use crate::throttle::ThrottleTrackerLayer;

/// The layers as methods of [`ServiceBuilder`], each with its defaults; for one with options there is
/// [`ServiceBuilder::layer`].
///
/// ```
/// # #[cfg(feature = "full")] {
/// # use std::convert::Infallible;
/// use http::{Request, Response};
/// use http_body_util::Full;
/// use tower::{ServiceBuilder, ServiceExt, service_fn};
/// use tower_spillover::{Backend, Pool, Selected, ServiceBuilderExt};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
/// let pool = Pool::new([Backend::builder("a").url("https://a.example").build()?])?;
/// let client = service_fn(|request: Request<_>| async move {
///     assert_eq!(request.uri(), "https://a.example/v1/models");
///     Ok::<_, Infallible>(Response::new(Full::<bytes::Bytes>::default()))
/// });
/// let stack = ServiceBuilder::new().spillover(pool).service(client);
///
/// let request = Request::get("/v1/models").body(Full::<bytes::Bytes>::default())?;
/// let response = stack.oneshot(request).await?;
/// assert_eq!(response.extensions().get::<Selected>().unwrap().backend().label(), "a");
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// # })?;
/// # }
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
pub trait ServiceBuilderExt<L>: sealed::Sealed + Sized {
    /// Adds the [usual stack](crate::stack) in front of these backends.
    #[cfg(feature = "stack")]
    fn spillover(
        self,
        pool: spillover_core::Pool,
    ) -> ServiceBuilder<tower_layer::Stack<SpilloverLayer, L>>;

    /// Sends a refused request to the next backend; see [`retry`](crate::retry).
    #[cfg(feature = "retry")]
    fn retry_throttled(self) -> ServiceBuilder<tower_layer::Stack<RetryThrottledLayer, L>>;

    /// Sends a slow request to a second backend as well; see [`hedge`](crate::hedge).
    #[cfg(feature = "hedge")]
    fn hedge(self, delay: std::time::Duration)
    -> ServiceBuilder<tower_layer::Stack<HedgeLayer, L>>;

    /// Chooses the backend for each attempt; see [`select`](crate::select).
    #[cfg(feature = "select")]
    fn priority_select(
        self,
        pool: spillover_core::Pool,
    ) -> ServiceBuilder<tower_layer::Stack<PrioritySelectLayer, L>>;

    /// Makes the request one for the chosen backend; see [`rewrite`](crate::rewrite).
    #[cfg(feature = "rewrite")]
    fn rewrite_request(self) -> ServiceBuilder<tower_layer::Stack<RewriteRequestLayer, L>>;

    /// Remembers what answers say about a backend; see [`throttle`](crate::throttle).
    #[cfg(feature = "throttle")]
    fn throttle_tracker(self) -> ServiceBuilder<tower_layer::Stack<ThrottleTrackerLayer, L>>;

    /// Reads the bodies of refusals that are in doubt; see [`refusal`](crate::refusal).
    #[cfg(feature = "refusal")]
    fn read_refusal(self) -> ServiceBuilder<tower_layer::Stack<ReadRefusalLayer, L>>;

    /// Holds a stream until its first content; see [`peek`](crate::peek).
    #[cfg(feature = "peek")]
    fn stream_peek(self) -> ServiceBuilder<tower_layer::Stack<StreamPeekLayer, L>>;
}

impl<L> ServiceBuilderExt<L> for ServiceBuilder<L> {
    #[cfg(feature = "stack")]
    fn spillover(
        self,
        pool: spillover_core::Pool,
    ) -> ServiceBuilder<tower_layer::Stack<SpilloverLayer, L>> {
        self.layer(SpilloverLayer::new(pool))
    }

    #[cfg(feature = "retry")]
    fn retry_throttled(self) -> ServiceBuilder<tower_layer::Stack<RetryThrottledLayer, L>> {
        self.layer(RetryThrottledLayer::new())
    }

    #[cfg(feature = "hedge")]
    fn hedge(
        self,
        delay: std::time::Duration,
    ) -> ServiceBuilder<tower_layer::Stack<HedgeLayer, L>> {
        self.layer(HedgeLayer::new(delay))
    }

    #[cfg(feature = "select")]
    fn priority_select(
        self,
        pool: spillover_core::Pool,
    ) -> ServiceBuilder<tower_layer::Stack<PrioritySelectLayer, L>> {
        self.layer(PrioritySelectLayer::new(pool))
    }

    #[cfg(feature = "rewrite")]
    fn rewrite_request(self) -> ServiceBuilder<tower_layer::Stack<RewriteRequestLayer, L>> {
        self.layer(RewriteRequestLayer::new())
    }

    #[cfg(feature = "throttle")]
    fn throttle_tracker(self) -> ServiceBuilder<tower_layer::Stack<ThrottleTrackerLayer, L>> {
        self.layer(ThrottleTrackerLayer::new())
    }

    #[cfg(feature = "refusal")]
    fn read_refusal(self) -> ServiceBuilder<tower_layer::Stack<ReadRefusalLayer, L>> {
        self.layer(ReadRefusalLayer::new())
    }

    #[cfg(feature = "peek")]
    fn stream_peek(self) -> ServiceBuilder<tower_layer::Stack<StreamPeekLayer, L>> {
        self.layer(StreamPeekLayer::new())
    }
}

mod sealed {
    #[expect(unnameable_types, reason = "nobody else is to implement it")]
    pub trait Sealed {}

    impl<L> Sealed for tower::ServiceBuilder<L> {}
}
