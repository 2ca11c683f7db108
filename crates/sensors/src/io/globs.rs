//! Several logs by one pattern of names: `/var/log/mail/*.log`.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::compressed::is_compressed_name;
use super::files::{age, directory};

/// Whether the name (not the folder) is a pattern: has a `*` or `?` in it.
pub fn is_glob(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_bytes().iter().any(|byte| matches!(byte, b'*' | b'?')))
}

/// The files that are there under a pattern, sorted, at most `files_max`: not the compressed ones, and not those that were
/// rotated away from another of them.
pub fn matching(pattern: &Path, files_max: usize) -> io::Result<Vec<PathBuf>> {
    let Some(name) = pattern.file_name() else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for entry in fs::read_dir(directory(pattern))? {
        let entry = entry?;
        let path = entry.path();
        if matches(name.as_bytes(), entry.file_name().as_bytes()) && !is_compressed_name(&path) && path.is_file() {
            found.push(path);
        }
    }
    let is_rotated = |path: &PathBuf| {
        let name = |path: &Path| path.file_name().unwrap_or_default().to_owned();
        found.iter().any(|other| age(OsStr::new(&name(other)), &name(path)).is_some())
    };
    let mut logs: Vec<PathBuf> = found.iter().filter(|path| !is_rotated(path)).cloned().collect();
    logs.sort();
    logs.truncate(files_max);
    Ok(logs)
}

/// Whether `name` is one that `pattern` means: `?` is any character, `*` any text, but a leading dot wants to be named. In
/// time proportional to the product of the lengths, which file names bound.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    if name.first() == Some(&b'.') && pattern.first() != Some(&b'.') {
        return false;
    }
    let (mut p, mut n, mut star) = (0, 0, None);
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(&byte) if byte == b'?' || byte == name[n] => {
                p += 1;
                n += 1;
            }
            _ => match star {
                // The last star takes one more character.
                Some((at, taken)) => {
                    star = Some((at, taken + 1));
                    p = at + 1;
                    n = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_patterns() {
        let cases = [
            ("*.log", "mail.log", true),
            ("*.log", "mail.log.1", false),
            ("*.log", ".log", false),
            (".*", ".log", true),
            ("mail?.*", "mail1.log", true),
            ("mail?.*", "mail.log", false),
            ("*a*b*", "xxaxxbxx", true),
            ("*a*b*", "xxbxxaxx", false),
            ("*aaab", &"a".repeat(200), false),
            ("*", "", true),
        ];
        for (pattern, name, wanted) in cases {
            assert_eq!(matches(pattern.as_bytes(), name.as_bytes()), wanted, "{pattern} {name}");
        }
        assert!(is_glob(Path::new("/var/log/*.log")) && !is_glob(Path::new("/var/*/mail.log")));
    }

    #[test]
    fn files_of_a_pattern() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a.log", "b.log", "b.log.1", "b.log.2.gz", "c.txt", "mail", "mail.1", "mail-20261121"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        fs::create_dir(folder.path().join("d.log")).unwrap();
        let names = |pattern: &str, most: usize| -> Vec<String> {
            let all = matching(&folder.path().join(pattern), most).unwrap();
            all.iter().map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect()
        };
        assert_eq!(names("*.log", 9), ["a.log", "b.log"]);
        assert_eq!(names("*.log", 1), ["a.log"]);
        assert_eq!(names("b.log*", 9), ["b.log"]);
        assert_eq!(names("mail*", 9), ["mail"]);
        assert!(matching(&folder.path().join("no/*"), 9).is_err());
    }
}
