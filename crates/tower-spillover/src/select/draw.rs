/// A source of uniform random numbers. Closures implement it, so that a test can bring a seeded one.
pub trait Draw {
    /// Returns a random number. Each of the 2^64 is as likely as any other.
    fn draw(&self) -> u64;
}

impl<F> Draw for F
where
    F: Fn() -> u64,
{
    fn draw(&self) -> u64 {
        self()
    }
}

/// Draws from the generator of the thread: nothing is shared between cores.
#[derive(Clone, Copy, Debug, Default)]
pub struct ThreadDraw {
    _priv: (),
}

impl Draw for ThreadDraw {
    fn draw(&self) -> u64 {
        rand::random()
    }
}
