#[cfg(any(
    feature = "affinity",
    feature = "hedge",
    feature = "peek",
    feature = "limit",
    feature = "model",
    feature = "patience",
    feature = "rewrite",
    feature = "select",
    feature = "throttle"
))]
macro_rules! inner_service_accessors {
    () => {
        /// The inner service.
        pub fn get_ref(&self) -> &S {
            &self.inner
        }

        /// The inner service, mutably.
        pub fn get_mut(&mut self) -> &mut S {
            &mut self.inner
        }

        /// The inner service; the rest is dropped.
        pub fn into_inner(self) -> S {
            self.inner
        }
    };
}
