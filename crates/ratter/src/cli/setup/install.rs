//! Puts a recipe's files where they belong: all of them or none is refused, each is replaced at once, and what was there
//! is kept.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde::Serialize;

use super::{MARK, Planned};

/// What was done with a file.
#[derive(Serialize, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Change {
    /// There was none.
    Created,
    /// An older one of ours was there, and is now FILE.old.
    Replaced,
    /// It was there as it shall be.
    Unchanged,
}

impl Change {
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Created => "written",
            Self::Replaced => "written; what was there is kept as FILE.old",
            Self::Unchanged => "is there already",
        }
    }
}

/// Most bytes of a file that is looked at: ours are far smaller.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Writes the files. Nothing is written if one of them may not be.
pub(super) fn write_all(files: &[Planned]) -> anyhow::Result<Vec<Change>> {
    let changes = files.iter().map(plan).collect::<anyhow::Result<Vec<_>>>()?;
    for (file, change) in files.iter().zip(&changes) {
        write(file, *change).with_context(|| format!("{} cannot be written", file.path.display()))?;
    }
    Ok(changes)
}

/// Runs programs of the server, each with its arguments; the first that fails is the last.
pub(super) fn run_all(commands: &[Vec<String>]) -> anyhow::Result<()> {
    for command in commands {
        let Some((program, arguments)) = command.split_first() else { continue };
        let output = std::process::Command::new(program).args(arguments).output();
        let output = output.with_context(|| format!("{program} cannot be run"))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            bail!("{program} failed: {}", said.trim().escape_debug());
        }
    }
    Ok(())
}

/// What is to be done for a file; it fails if somebody else's is in its place.
fn plan(file: &Planned) -> anyhow::Result<Change> {
    let path = file.path.display();
    let kind = match fs::symlink_metadata(&file.path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let folder = folder_of(&file.path);
            if !folder.is_dir() {
                bail!("{path} cannot be written: there is no folder {}; is the server installed?", folder.display());
            }
            return Ok(Change::Created);
        }
        other => other.with_context(|| format!("{path} cannot be looked at"))?,
    };
    if !kind.is_file() {
        bail!("{path} is no plain file, and is left alone: nothing was written");
    }
    let mut there = String::new();
    #[expect(clippy::disallowed_methods, reason = "the binary writes the admin's files")]
    let opened = File::open(&file.path);
    let read = opened.and_then(|opened| opened.take(FILE_BYTES_MAX).read_to_string(&mut there));
    if read.is_err() || !there.lines().take(3).any(|line| line.contains(MARK)) {
        bail!(
            "{path} is not ours (its first lines do not say \"{MARK} …\"), and is left alone: nothing was written. \
             Move it away, or copy what you need from `ratter setup` without --write"
        );
    }
    let is_same = there == file.text && kind.permissions().mode() & 0o7777 == file.mode;
    Ok(if is_same { Change::Unchanged } else { Change::Replaced })
}

fn write(file: &Planned, change: Change) -> anyhow::Result<()> {
    if change == Change::Unchanged {
        return Ok(());
    }
    let temporary = beside(&file.path, &format!("ratter-{}", std::process::id()));
    let written = write_new(&temporary, file).and_then(|()| {
        if change == Change::Replaced {
            // A second name for what is there: at no moment is the file itself missing.
            let old = beside(&file.path, "old");
            match fs::remove_file(&old) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => fs::hard_link(&file.path, &old)?,
            }
        }
        fs::rename(&temporary, &file.path)
    });
    if written.is_err() {
        // It may not be there at all.
        drop(fs::remove_file(&temporary));
    }
    written?;
    #[expect(clippy::disallowed_methods, reason = "the name is on the disk when the folder is")]
    File::open(folder_of(&file.path))?.sync_all()?;
    Ok(())
}

/// A new file that nobody may read before its permissions are right.
fn write_new(path: &Path, file: &Planned) -> std::io::Result<()> {
    let mut out = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    out.write_all(file.text.as_bytes())?;
    out.set_permissions(fs::Permissions::from_mode(file.mode))?;
    out.sync_all()
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."))
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(path: PathBuf, what: &str) -> Planned {
        Planned { path, mode: 0o640, text: format!("{}{what}\n", super::super::heading("#", "test")) }
    }

    #[expect(clippy::disallowed_methods, reason = "the test reads what was written")]
    fn text(path: &Path) -> String {
        fs::read_to_string(path).unwrap()
    }

    #[test]
    fn a_file_of_ours_is_replaced_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.conf");
        let (first, second) = (planned(path.clone(), "first"), planned(path.clone(), "second"));
        for (file, wanted) in [
            (&first, Change::Created),
            (&first, Change::Unchanged),
            (&second, Change::Replaced),
            (&first, Change::Replaced),
        ] {
            assert_eq!(write_all(std::slice::from_ref(file)).unwrap(), [wanted]);
            assert_eq!(text(&path), file.text);
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o640);
        }
        assert_eq!(text(&folder.path().join("a.conf.old")), second.text);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "nothing else is left behind");
    }

    #[test]
    fn nothing_is_written_if_one_file_is_somebody_elses() {
        let folder = tempfile::tempdir().unwrap();
        let [ours, theirs, link, away] = ["ours", "theirs", "link", "no/such"].map(|name| folder.path().join(name));
        #[expect(clippy::disallowed_methods, reason = "the admin's own file")]
        fs::write(&theirs, "mine\n").unwrap();
        std::os::unix::fs::symlink(&theirs, &link).unwrap();
        for (path, wanted) in [(&theirs, "is not ours"), (&link, "no plain file"), (&away, "no folder")] {
            let files = [planned(ours.clone(), "x"), planned(path.clone(), "x")];
            let fault = write_all(&files).unwrap_err().to_string();
            assert!(fault.contains(wanted), "{fault}");
            assert!(!ours.exists(), "{}", path.display());
        }
        assert_eq!(text(&theirs), "mine\n");
    }
}
