use std::{fmt::Write, io};

use rustls::crypto::ring;
use sha2::{Digest, Sha256};

use super::print;

/// Prints the SHA-256 of the key on standard input. With `generate`, creates a key and prints both.
pub(crate) fn hash_key(generate: bool) -> io::Result<()> {
    if generate {
        let key = new_key()?;
        return print(&format!("key    = {key}\nsha256 = {}\n", digest(&key)));
    }
    let mut line = String::new();
    io::stdin().read_line(&mut line)?;
    let key = line.trim();
    if key.is_empty() {
        return Err(io::Error::other("expected a key on standard input"));
    }
    print(&format!("{}\n", digest(key)))
}

fn new_key() -> io::Result<String> {
    let mut bytes = [0; 32];
    let random = ring::default_provider().secure_random;
    random
        .fill(&mut bytes)
        .map_err(|_| io::Error::other("the system has no random numbers"))?;
    Ok(format!("sk-{}", hexadecimal(&bytes)))
}

fn digest(key: &str) -> String {
    hexadecimal(&Sha256::digest(key))
}

fn hexadecimal(bytes: &[u8]) -> String {
    let mut digits = String::new();
    for byte in bytes {
        // Cannot fail: the target is a string.
        let _ = write!(digits, "{byte:02x}");
    }
    digits
}
