//! File descriptor 3, which the checkpassword interface hands from program to program.

#![expect(unsafe_code, reason = "descriptors with fixed numbers: the standard library has no safe way to them")]

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::mem::ManuallyDrop;
use std::os::fd::{AsRawFd as _, FromRawFd as _, RawFd};

/// The descriptor on which login and password come.
const PASSWORD_FD: RawFd = 3;

/// Most bytes that come on it (<https://cr.yp.to/checkpwd/interface.html>).
pub const BYTES_MAX: usize = 512;

unsafe extern "C" {
    fn dup2(old: RawFd, new: RawFd) -> RawFd;
}

/// Reads all there is, at most one byte more than there may be.
pub fn read() -> io::Result<Vec<u8>> {
    // SAFETY: reading is all that is done with it, a descriptor that is not open makes that an error, and it is not
    // closed here, so that nobody else gets its number.
    let file = ManuallyDrop::new(unsafe { File::from_raw_fd(PASSWORD_FD) });
    let mut bytes = Vec::with_capacity(BYTES_MAX + 1);
    (&*file).take(BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Puts `bytes` where the next program reads them. They fit into a pipe, so nobody need read at the same time.
pub fn put_back(bytes: &[u8]) -> io::Result<()> {
    let (reader, mut writer) = io::pipe()?;
    writer.write_all(bytes)?;
    // SAFETY: both are plain numbers; the copy has no close-on-exec flag, which is what makes it come through.
    let copy = unsafe { dup2(reader.as_raw_fd(), PASSWORD_FD) };
    if copy == PASSWORD_FD { Ok(()) } else { Err(io::Error::last_os_error()) }
}
