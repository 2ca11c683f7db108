//! Map files as their readers find them: whole at every moment, whatever happens to the writer.

#![expect(clippy::disallowed_methods, reason = "tests make files and start programs")]

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actions::io::replace;

/// How often the writer is killed; with `RATTER_SOAK=1` as often as is claimed.
const KILLS: u32 = 400;
const KILLS_SOAK: u32 = 100_000;

/// The states of `examples/map_writer.rs`.
fn states() -> BTreeSet<String> {
    let hosts = |number: u32| 100..120 + number * 40;
    let lines = |host| [format!("203.0.113.{host}\n"), format!("198.51.{host}.0/24\n")];
    let text = |number| hosts(number).flat_map(lines).collect();
    (0..4).map(text).collect()
}

fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a test program has a path");
    let folder = test.parent().and_then(Path::parent).expect("cargo puts test programs into target/PROFILE/deps");
    folder.join("examples").join(name)
}

#[test]
fn no_reader_sees_a_partial_map_however_often_the_writer_is_killed() {
    let kills = if std::env::var_os("RATTER_SOAK").is_some() { KILLS_SOAK } else { KILLS };
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("blocked.map");
    let states = states();
    replace(&path, states.first().expect("there are four").as_bytes()).expect("the folder can be written");
    let done = AtomicBool::new(false);
    let (reads, seen) = std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let (mut reads, mut seen) = (0_u64, BTreeSet::new());
            while !done.load(Ordering::Relaxed) {
                let text = fs::read_to_string(&path).expect("the map is there at every moment");
                assert!(states.contains(&text), "after {reads} reads a text that nobody wrote:\n{text}");
                seen.insert(text);
                reads += 1;
            }
            (reads, seen)
        });
        for cycle in 0..kills {
            let mut writer = Command::new(example("map_writer"))
                .arg(&path)
                .stderr(Stdio::null())
                .spawn()
                .expect("the example is built with the tests");
            // From before its first write to within some later one; now and then it surely has written some.
            std::thread::sleep(Duration::from_micros(u64::from(cycle * 7919 % 6000)));
            if cycle.is_multiple_of(20) {
                let inode = || fs::metadata(&path).expect("the map is there").ino();
                let before = inode();
                while inode() == before {
                    std::thread::sleep(Duration::from_millis(1));
                }
            }
            writer.kill().expect("it writes until it is killed");
            writer.wait().expect("it is our child");
        }
        done.store(true, Ordering::Relaxed);
        reader.join().expect("the reader saw nothing wrong")
    });
    assert!(reads > u64::from(kills) && seen.len() > 1, "{reads} reads of {} states prove nothing", seen.len());
    let left: Vec<_> = fs::read_dir(folder.path()).expect("it is there").flatten().map(|entry| entry.path()).collect();
    assert!(left.len() <= 2, "killed writers leave one file at most: {left:?}");
}

#[test]
fn a_map_is_readable_for_all_and_follows_no_link() {
    let folder = tempfile::tempdir().expect("a folder");
    let (path, victim) = (folder.path().join("map"), folder.path().join("victim"));
    fs::write(&victim, "precious").expect("it can be written");
    std::os::unix::fs::symlink(&victim, folder.path().join(".map.ratter-new")).expect("a link");
    std::os::unix::fs::symlink(&victim, &path).expect("a link");
    replace(&path, b"192.0.2.7\n").expect("it can be written");
    assert_eq!(fs::read_to_string(&victim).expect("it is there"), "precious");
    let meta = fs::symlink_metadata(&path).expect("it is there");
    assert!(meta.is_file() && meta.permissions().mode() & 0o777 == 0o644, "{meta:?}");

    let before = meta.modified().expect("files have times");
    replace(&path, b"192.0.2.7\n").expect("nothing is to be done");
    assert_eq!(fs::metadata(&path).and_then(|meta| meta.modified()).expect("it is there"), before, "left alone");
}

#[test]
fn what_cannot_be_written_leaves_what_was_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("map");
    replace(&path, b"old\n").expect("it can be written");
    // A folder of that name stands where the new file is to be made; even root cannot write it.
    fs::create_dir(folder.path().join(".map.ratter-new")).expect("a folder");
    let error = replace(&path, b"new\n").expect_err("it stands in the way").to_string();
    assert!(error.contains(".map.ratter-new failed: "), "{error}");
    assert_eq!(fs::read_to_string(&path).expect("it is there"), "old\n");
    assert!(replace(Path::new("/"), b"").is_err());
}
