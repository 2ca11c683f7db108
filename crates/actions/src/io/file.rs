use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Readers are other users: rspamd, Postfix, nginx.
const MODE: u32 = 0o644;

/// Why a file was not replaced. The one that was there is still there, unless it says otherwise.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The path names no file.
    #[error("{0} is no path of a file")]
    NoFile(PathBuf),
    /// The system refused.
    #[error("{what} {path} failed: {source}")]
    System {
        /// What was tried.
        what: &'static str,
        /// With which file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// What can be read is not what was written.
    #[error("{0} does not hold what was written to it")]
    Differs(PathBuf),
}

/// Puts a file with these bytes in the place of the one at `path`, in one step: whoever opens it gets the old one or the
/// new one, whole, even if the process or the machine dies at any moment. The bytes are written beside it, synced, read
/// again and compared before and after the file takes its name. A file that holds them already is left alone.
///
/// The new file is made afresh, so that no link that somebody put there is followed, and everybody may read it.
///
/// # Errors
/// The folder cannot be written, the disk is full, or does not keep what it is given.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    if fs::symlink_metadata(path).is_ok_and(|meta| meta.is_file()) && fs::read(path).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(FileError::NoFile(path.to_owned()));
    };
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let mut beside = std::ffi::OsString::from(".");
    beside.push(name);
    beside.push(".ratter-new");
    let beside = folder.join(beside);
    let system = |what, path: &Path| {
        let path = path.to_owned();
        move |source| FileError::System { what, path, source }
    };
    match fs::remove_file(&beside) {
        // What a process that died left there is worth nothing.
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(system("removing", &beside)(error)),
    }
    let write = || {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(MODE).open(&beside)?;
        file.write_all(bytes)?;
        file.set_permissions(Permissions::from_mode(MODE))?;
        file.sync_all()
    };
    write().map_err(system("writing", &beside))?;
    compare(&beside, bytes)?;
    fs::rename(&beside, path).map_err(system("replacing", path))?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(system("syncing", folder))?;
    compare(path, bytes)
}

fn compare(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let read = fs::read(path).map_err(|source| FileError::System { what: "reading", path: path.to_owned(), source })?;
    if read == bytes { Ok(()) } else { Err(FileError::Differs(path.to_owned())) }
}
