//! The frame of a member of gzip data (RFC 1952 section 2.3), around what DEFLATE makes.

use super::DecodeError;

/// Length in bytes of the CRC and the size at the end of a member.
pub(super) const TAIL: usize = 8;

/// A header is 10 bytes long, or names a file. None is longer that anything is known to send.
pub(super) const MAX_HEADER: usize = 4096;

/// The first byte of each member.
pub(super) const ID1: u8 = 0x1f;

/// Returns the length of the header at the start of these bytes. `None` if the header is incomplete.
pub(super) fn header_len(bytes: &[u8]) -> Result<Option<usize>, DecodeError> {
    let mut start = bytes.iter().zip([ID1, ID2, METHOD_DEFLATE]);
    if start.any(|(byte, expected)| *byte != expected) {
        return Err(DecodeError::corrupt());
    }
    let Some(&flags) = bytes.get(3) else {
        return Ok(None);
    };
    if flags & RESERVED != 0 {
        return Err(DecodeError::corrupt());
    }
    let mut len = FIXED;
    if flags & EXTRA != 0 {
        let Some(&[low, high]) = bytes.get(len..len + 2) else {
            return Ok(None);
        };
        len += 2 + usize::from(u16::from_le_bytes([low, high]));
    }
    for flag in [NAME, COMMENT] {
        if flags & flag != 0 {
            let text = bytes.get(len..).unwrap_or_default();
            let Some(end) = text.iter().position(|byte| *byte == 0) else {
                return Ok(None);
            };
            len += end + 1;
        }
    }
    if flags & HEADER_CRC != 0 {
        len += 2;
    }
    Ok((bytes.len() >= len).then_some(len))
}

const ID2: u8 = 0x8b;

const METHOD_DEFLATE: u8 = 8;

/// Identification, method, flags, time, extra flags and system.
const FIXED: usize = 10;

const HEADER_CRC: u8 = 1 << 1;
const EXTRA: u8 = 1 << 2;
const NAME: u8 = 1 << 3;
const COMMENT: u8 = 1 << 4;
const RESERVED: u8 = 0b1110_0000;
