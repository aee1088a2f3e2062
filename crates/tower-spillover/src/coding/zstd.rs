use zstd::stream::raw::{DParameter, Decoder, Operation};

use super::{DecodeError, step::Step};

/// Decodes zstd, in one frame or several.
pub(super) struct Zstd {
    /// `None` where there was no memory for one.
    raw: Option<Decoder<'static>>,
    is_complete: bool,
}

impl Zstd {
    pub(super) fn new() -> Self {
        let raw = Decoder::new().and_then(|mut raw| {
            raw.set_parameter(DParameter::WindowLogMax(WINDOW_LOG_MAX))?;
            Ok(raw)
        });
        Self {
            raw: raw.ok(),
            is_complete: false,
        }
    }

    pub(super) fn is_complete(&self) -> bool {
        self.is_complete
    }

    pub(super) fn step(&mut self, input: &[u8], output: &mut [u8]) -> Result<Step, DecodeError> {
        // After the end of a frame the decoder would ask for the next one.
        if self.is_complete && input.is_empty() {
            return Ok(Step {
                read: 0,
                written: 0,
            });
        }
        let raw = self.raw.as_mut().ok_or_else(DecodeError::corrupt)?;
        let status = raw
            .run_on_buffers(input, output)
            .map_err(|_| DecodeError::corrupt())?;
        self.is_complete = status.remaining == 0;
        Ok(Step {
            read: status.bytes_read,
            written: status.bytes_written,
        })
    }
}

/// 8 MiB, as RFC 8878 section 3.1.1.1.2 recommends and RFC 9659 section 3 demands of the content coding.
const WINDOW_LOG_MAX: u32 = 23;
