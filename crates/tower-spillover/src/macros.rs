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
        /// Returns the inner service.
        pub fn get_ref(&self) -> &S {
            &self.inner
        }

        /// Returns the inner service, mutably.
        pub fn get_mut(&mut self) -> &mut S {
            &mut self.inner
        }

        /// Returns the inner service, and drops the layer's own state.
        pub fn into_inner(self) -> S {
            self.inner
        }
    };
}
