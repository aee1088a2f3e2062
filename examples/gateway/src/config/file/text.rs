use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

/// The text of a file that is not longer than this many bytes.
pub(in crate::config) fn read_text(path: &Path, most: u64) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(most + 1).read_to_string(&mut text)?;
    if text.len() as u64 > most {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it is too long"));
    }
    Ok(text)
}
