/// A short text without case and punctuation, so that `RateLimitReached`, `rate_limit_reached` and `rate-limit-reached`
/// are equal.
#[derive(Debug)]
pub(crate) struct Folded {
    bytes: [u8; CAPACITY],
    len: usize,
}

impl Folded {
    /// Cuts a text that does not fit; no known word is that long.
    pub(crate) fn new(text: &[u8]) -> Self {
        let mut bytes = [0; CAPACITY];
        let mut len = 0;
        let letters = text.iter().filter(|byte| byte.is_ascii_alphanumeric());
        for (place, byte) in bytes.iter_mut().zip(letters) {
            *place = byte.to_ascii_lowercase();
            len += 1;
        }
        Self { bytes, len }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

const CAPACITY: usize = 40;
