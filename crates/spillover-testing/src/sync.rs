use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks even after a panic: a failed test must still be able to read the counters.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
