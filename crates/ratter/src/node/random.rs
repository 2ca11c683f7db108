//! The system's randomness.

use std::fs::File;
use std::io::{self, Read as _};

/// Octets that nobody can guess.
#[expect(clippy::disallowed_methods, reason = "the binary is the shell that asks the system")]
pub(crate) fn octets() -> io::Result<[u8; 16]> {
    let mut octets = [0; 16];
    File::open("/dev/urandom")?.read_exact(&mut octets)?;
    Ok(octets)
}
