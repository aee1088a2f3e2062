//! Encodes bodies in a content coding (RFC 9110, section 8.4).

use std::io::Write;

/// The codings of [`encoded`].
pub const CODINGS: [&str; 4] = ["gzip", "deflate", "br", "zstd"];

/// Returns the body in the coding of this name.
///
/// # Panics
///
/// Panics if the coding is not in [`CODINGS`].
///
/// ```
/// use spillover_testing::coding::encoded;
///
/// let body = encoded("gzip", "hello");
/// assert!(body.starts_with(&[0x1f, 0x8b]));
/// ```
#[must_use]
pub fn encoded(coding: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    write(coding, body.as_ref()).expect("into memory")
}

fn write(coding: &str, body: &[u8]) -> std::io::Result<Vec<u8>> {
    let level = flate2::Compression::default();
    match coding {
        "gzip" => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), level);
            encoder.write_all(body)?;
            encoder.finish()
        }
        "deflate" => {
            let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), level);
            encoder.write_all(body)?;
            encoder.finish()
        }
        "br" => {
            let mut encoder = brotli::CompressorWriter::new(Vec::new(), 4096, 5, 22);
            encoder.write_all(body)?;
            Ok(encoder.into_inner())
        }
        "zstd" => zstd::encode_all(body, 3),
        other => panic!("not a coding that is known: {other}"),
    }
}
