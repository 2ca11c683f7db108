#![expect(clippy::disallowed_methods, reason = "this is where files of lists are read and written")]

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::UNIX_EPOCH;

/// What tells that a file has changed. Two files that are written soon after each other can have one time and one
/// length, but not one place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stamp {
    /// The file's number in its file system.
    pub inode: u64,
    /// The time of the last change, in nanoseconds since the epoch.
    pub nanos: u128,
    /// The length in bytes.
    pub length: u64,
}

/// The stamp of a file. What is no file, such as a folder or a pipe, is an error: a pipe would be waited for until somebody
/// writes to it.
pub fn stamp(path: &Path) -> io::Result<Stamp> {
    let about = fs::metadata(path)?;
    if !about.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let nanos = about.modified()?.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
    Ok(Stamp { inode: about.ino(), nanos, length: about.len() })
}

/// The content of a file, with its stamp. A file that changes while it is read is an error: it is being written in
/// place, and half of it is no list.
pub fn read_whole(path: &Path) -> io::Result<(Vec<u8>, Stamp)> {
    let before = stamp(path)?;
    let content = fs::read(path)?;
    let after = stamp(path)?;
    if before != after || content.len() as u64 != after.length {
        return Err(io::Error::other("the file changes while it is read; write a new one and rename it"));
    }
    Ok((content, after))
}

/// Writes a file so that readers see the old one or the whole new one, also after a crash: into a temporary file in the
/// same folder, to the disk, and renamed. `write` gets a buffered writer.
pub fn write_whole<T>(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<T>) -> io::Result<T> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    let name = path.file_name().ok_or_else(|| io::Error::other("the path names no file"))?;
    let temporary = folder.join(format!(".{}.{}.tmp", name.to_string_lossy(), std::process::id()));
    let written = write_and_sync(&temporary, write).and_then(|done| {
        fs::rename(&temporary, path)?;
        // The name is on the disk when the folder is.
        File::open(folder)?.sync_all()?;
        Ok(done)
    });
    if written.is_err() {
        // It may not be there at all.
        drop(fs::remove_file(&temporary));
    }
    written
}

fn write_and_sync<T>(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<T>) -> io::Result<T> {
    let mut out = BufWriter::with_capacity(1 << 16, File::create(path)?);
    let done = write(&mut out)?;
    out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
    Ok(done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_as_a_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("list");
        write_whole(&path, |out| out.write_all(b"old\n")).unwrap();
        let (content, before) = read_whole(&path).unwrap();
        assert_eq!(content, b"old\n");
        let failed = write_whole(&path, |out| {
            out.write_all(b"half")?;
            Err::<(), _>(io::Error::other("full"))
        });
        assert!(failed.is_err());
        assert_eq!(read_whole(&path).unwrap(), (b"old\n".to_vec(), before));
        write_whole(&path, |out| out.write_all(b"newer\n")).unwrap();
        assert_eq!(read_whole(&path).unwrap().0, b"newer\n");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left behind");
    }

    #[test]
    fn what_is_no_file_is_refused_and_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let _socket = std::os::unix::net::UnixListener::bind(&path).unwrap();
        for path in [&path, folder.path()] {
            assert_eq!(read_whole(path).unwrap_err().to_string(), "it is no regular file");
        }
    }
}
