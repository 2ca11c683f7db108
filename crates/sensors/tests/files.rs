//! A real file that is written, rotated and cut while it is followed.

#![cfg(feature = "io")]
#![expect(clippy::disallowed_methods, reason = "the test is about files and how soon a change is seen")]

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sensors::io::FileSensor;
use sensors::tail::{Checkpoint, Start};

fn append(path: &Path, text: &str) {
    let mut file = OpenOptions::new().create(true).append(true).open(path).expect("the folder is the test's own");
    file.write_all(text.as_bytes()).expect("the folder is the test's own");
}

/// All lines that come until nothing comes for a while.
fn drain(sensor: &mut FileSensor) -> (Vec<String>, Option<Checkpoint>) {
    let (mut lines, mut checkpoint) = (Vec::new(), sensor.checkpoint());
    while let Some(batch) = sensor.next(Duration::from_millis(50)).expect("the folder is the test's own") {
        lines.extend(batch.lines.map(|line| String::from_utf8_lossy(line).into_owned()));
        checkpoint = Some(batch.checkpoint);
    }
    (lines, checkpoint)
}

#[test]
fn a_day_of_a_log_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mail.log");
    let mut sensor = FileSensor::new(&path, Start::End, None);
    assert_eq!(drain(&mut sensor), (vec![], None));

    append(&path, "a\nb\nc");
    assert_eq!(drain(&mut sensor).0, ["a", "b"]);
    append(&path, "c\n");
    assert_eq!(drain(&mut sensor).0, ["cc"]);

    // logrotate with `create`: the daemon writes into the old file until it is told.
    let mut old = OpenOptions::new().append(true).open(&path).unwrap();
    fs::rename(&path, folder.path().join("mail.log.1")).unwrap();
    File::create(&path).unwrap();
    old.write_all(b"d\n").unwrap();
    assert_eq!(drain(&mut sensor).0, ["d"]);
    old.write_all(b"e\n").unwrap();
    append(&path, "f\n");
    let (lines, checkpoint) = drain(&mut sensor);
    assert_eq!(lines, ["e", "f"]);

    // Killed; rotated twice while down. What was compressed before is passed over.
    drop(sensor);
    append(&path, "g\n");
    fs::rename(folder.path().join("mail.log.1"), folder.path().join("mail.log.3")).unwrap();
    fs::rename(&path, folder.path().join("mail.log.2")).unwrap();
    append(&path, "h\n");
    fs::rename(&path, folder.path().join("mail.log.1")).unwrap();
    append(&path, "i\n");
    append(&folder.path().join("mail.log.2.gz"), "x\n");
    let mut sensor = FileSensor::new(&path, Start::End, checkpoint);
    assert_eq!(drain(&mut sensor).0, ["g", "h", "i"]);

    // copytruncate, with a line that was not read before the copy.
    append(&path, "j\n");
    fs::copy(&path, folder.path().join("mail.log-20261121")).unwrap();
    File::create(&path).unwrap();
    append(&path, "k\n");
    assert_eq!(drain(&mut sensor).0, ["j", "k"]);

    fs::remove_file(&path).unwrap();
    append(&path, "l\n");
    let (lines, checkpoint) = drain(&mut sensor);
    assert_eq!((lines, checkpoint.unwrap().lines), (vec!["l".to_owned()], 12));
}

/// What the real program makes of a file, in its place.
fn pack(program: &str, path: &Path) {
    let mut command = std::process::Command::new(program);
    let status = command.arg(if program == "zstd" { "--rm" } else { "-f" }).arg("-q").arg(path).status();
    let status = status.unwrap_or_else(|error| panic!("{program}: {error}; install the Debian package of that name"));
    assert!(status.success());
}

#[test]
fn what_was_compressed_while_nobody_looked_is_read_on() {
    for (program, ending) in [("gzip", "gz"), ("xz", "xz"), ("zstd", "zst")] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mail.log");
        let rotated = |name: &str| folder.path().join(format!("mail.log{name}"));
        let long = |first: u32| {
            let lines: Vec<_> = (first..first + 5000).map(|line| format!("{line} and so on\n")).collect();
            lines.concat()
        };
        append(&rotated(".9"), "never seen\n");
        pack(program, &rotated(".9"));
        append(&path, &long(1));
        let mut sensor = FileSensor::new(&path, Start::Beginning, None);
        let (lines, mut checkpoint) = drain(&mut sensor);
        assert_eq!(lines.len(), 5000, "{program}");
        drop(sensor);

        append(&path, &long(10_001));
        fs::rename(&path, rotated(".2")).unwrap();
        pack(program, &rotated(".2"));
        append(&path, "between\n");
        fs::rename(&path, rotated(".1")).unwrap();
        pack(program, &rotated(".1"));
        append(&path, "last\n");
        // Killed in the middle of it, too.
        let mut read = Vec::new();
        while read.len() < 5002 {
            let mut sensor = FileSensor::new(&path, Start::End, checkpoint);
            let batch = sensor.next(Duration::from_secs(5)).unwrap().expect("there is more");
            read.extend(batch.lines.map(|line| String::from_utf8_lossy(line).into_owned()));
            checkpoint = Some(batch.checkpoint);
        }
        let wanted = long(10_001) + "between\nlast\n";
        assert!(read.iter().eq(wanted.lines()), "{program} {}", rotated(".2").with_extension(ending).display());

        let mut sensor = FileSensor::new(&path, Start::End, checkpoint);
        assert_eq!(drain(&mut sensor).0, [""; 0], "{program}");
        fs::rename(&path, rotated(".0")).unwrap();
        fs::remove_file(rotated(".0")).unwrap();
        append(&path, "after a loss\n");
        let mut sensor = FileSensor::new(&path, Start::End, checkpoint);
        assert_eq!((drain(&mut sensor).0, sensor.counters().vanished), (vec!["after a loss".to_owned()], 1));
    }
}

#[test]
fn a_link_is_followed_and_a_folder_may_come_later() {
    let folder = tempfile::tempdir().unwrap();
    let (link, target) = (folder.path().join("link.log"), folder.path().join("other").join("mail.log"));
    fs::create_dir(folder.path().join("other")).unwrap();
    append(&target, "a\n");
    std::os::unix::fs::symlink(&target, &link).unwrap();
    let mut sensor = FileSensor::new(&link, Start::Beginning, None);
    assert_eq!(drain(&mut sensor).0, ["a"]);
    append(&target, "b\n");
    assert_eq!(drain(&mut sensor).0, ["b"]);

    let later = folder.path().join("later").join("mail.log");
    let mut sensor = FileSensor::new(&later, Start::End, None);
    assert_eq!(drain(&mut sensor).0, [""; 0]);
    fs::create_dir(folder.path().join("later")).unwrap();
    append(&later, "a\n");
    let lines = sensor.next(Duration::from_secs(5)).unwrap().map(|batch| batch.lines.count());
    assert_eq!(lines, Some(1));
}

/// The target of a link is rotated again and again between two looks, and while nobody reads.
#[test]
fn the_target_of_a_link_is_rotated() {
    let cases = [
        ("link.log", "other/mail.log"),
        ("link.log", "mail.log"),
        ("mail.log", "other/mail.log"),
        ("mail.log", "mail.log-20261121"),
    ];
    for (link, name) in cases {
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str| folder.path().join(name);
        let (link, target) = (place(link), place(name));
        fs::create_dir(place("other")).unwrap();
        append(&target, "0\n");
        // By another link, which names its target as it is seen from its own folder.
        std::os::unix::fs::symlink(target.file_name().unwrap(), target.with_file_name("between")).unwrap();
        std::os::unix::fs::symlink(target.with_file_name("between"), &link).unwrap();
        let rotate = |count: u32| {
            for number in (1..count).rev() {
                let name = |number: u32| PathBuf::from(format!("{}.{number}", target.display()));
                fs::rename(name(number), name(number + 1)).unwrap();
            }
            fs::rename(&target, PathBuf::from(format!("{}.1", target.display()))).unwrap();
        };
        let mut sensor = FileSensor::new(&link, Start::Beginning, None);
        assert_eq!(drain(&mut sensor).0, ["0"], "{name}");
        for count in 1..=20 {
            append(&target, &format!("{count}\n"));
            rotate(count);
        }
        append(&target, "21\n");
        let (lines, checkpoint) = drain(&mut sensor);
        assert_eq!(lines, (1..=21).map(|line| line.to_string()).collect::<Vec<_>>(), "{name}");
        drop(sensor);
        append(&target, "22\n");
        rotate(21);
        append(&target, "23\n");
        rotate(22);
        append(&target, "24\n");
        let mut sensor = FileSensor::new(&link, Start::End, checkpoint);
        assert_eq!(drain(&mut sensor).0, ["22", "23", "24"], "{name}");
    }
}

#[test]
fn what_is_no_file_is_an_error_that_passes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mail.log");
    fs::create_dir(&path).unwrap();
    let mut sensor = FileSensor::new(&path, Start::Beginning, None);
    assert!(sensor.next(Duration::ZERO).is_err());
    fs::remove_dir(&path).unwrap();
    append(&path, "a\n");
    assert_eq!(drain(&mut sensor).0, ["a"]);
}

/// How long after a write its line is there. The bound is generous, the figures are printed.
#[test]
fn lines_come_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mail.log");
    append(&path, "begin\n");
    let mut sensor = FileSensor::new(&path, Start::End, None);
    drain(&mut sensor);
    let (send, received) = std::sync::mpsc::sync_channel(1);
    let writer = std::thread::spawn(move || {
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        for _ in 0..200 {
            std::thread::sleep(Duration::from_millis(2));
            send.send(Instant::now()).unwrap();
            file.write_all(b"Nov 21 07:44:14 mx dovecot: imap-login: x\n").unwrap();
        }
    });
    let mut delays = Vec::new();
    while delays.len() < 200 {
        let batch = sensor.next(Duration::from_secs(5)).unwrap().expect("a line is written each 2 ms");
        let (seen, lines) = (Instant::now(), batch.lines.count());
        delays.extend((0..lines).map(|_| seen - received.recv().unwrap()));
    }
    writer.join().unwrap();
    delays.sort_unstable();
    println!("write to lines: p50 {:?}, p99 {:?}", delays[100], delays[197]);
    assert!(delays[100] < Duration::from_millis(500), "not by the poll each second");
}
