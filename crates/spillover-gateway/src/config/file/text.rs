use std::{io, path::Path};

use crate::read_files::{ReadFiles, too_long};

/// The text of a file that is not longer than this many bytes.
pub(in crate::config) fn read_text(
    path: &Path,
    most: usize,
    files: &mut ReadFiles,
) -> io::Result<String> {
    let text = files.read(path)?;
    if text.len() > most {
        return Err(too_long());
    }
    String::from_utf8(text).map_err(|_| {
        let reason = "stream did not contain valid UTF-8";
        io::Error::new(io::ErrorKind::InvalidData, reason)
    })
}
