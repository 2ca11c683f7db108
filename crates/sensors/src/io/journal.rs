//! The systemd journal, through a `journalctl` that follows it.

use core::time::Duration;
use std::ffi::OsString;
use std::io::{self, Read};
use std::path::PathBuf;
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use crate::sources::journal::{Cursor, Export, FIELDS};

/// How long after the end of a child the next is started, at first; it doubles up to [`PAUSE_MAX`].
const PAUSE_MIN: Duration = Duration::from_secs(1);

/// How long at most.
const PAUSE_MAX: Duration = Duration::from_mins(1);

/// How much of the export is read at once, in bytes.
const CHUNK_BYTES: usize = 64 * 1024;

/// How much of what a failed child said is told, in bytes.
const COMPLAINT_BYTES_MAX: usize = 500;

/// Which entries are wanted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct JournalSettings {
    /// The program: `journalctl`.
    pub program: PathBuf,
    /// Units whose entries are wanted; empty for all.
    pub units: Vec<String>,
    /// The folder of the journal's files; none for the system's own.
    pub directory: Option<PathBuf>,
    /// Whether everything that is there is read, where no cursor is known.
    pub from_start: bool,
}

/// Follows the journal; made to be asked in a loop by a thread of its own.
#[derive(Debug)]
pub struct JournalSensor {
    settings: JournalSettings,
    cursor: Option<Cursor>,
    child: Option<Running>,
    pause: Duration,
    /// When the next child may be started.
    next_start: Option<Instant>,
    /// Entries of before are only taken note of: microseconds since the epoch.
    begin: u64,
    buffer: Box<[u8]>,
}

#[derive(Debug)]
struct Running {
    child: Child,
    output: ChildStdout,
    complaints: Option<ChildStderr>,
    /// The export that this child writes: another one begins anew.
    export: Export,
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself; in either case it is waited for, so that nothing of it is left.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl JournalSensor {
    /// Follows the journal behind `cursor`; nothing is started yet.
    pub fn new(settings: JournalSettings, cursor: Option<Cursor>) -> Self {
        let buffer = vec![0; CHUNK_BYTES].into_boxed_slice();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_micros();
        let begin = if cursor.is_some() || settings.from_start { 0 } else { u64::try_from(now).unwrap_or(0) };
        Self { settings, cursor, child: None, pause: PAUSE_MIN, next_start: None, begin, buffer }
    }

    /// Hands the next entries to `out` as lines, as soon as there are any; none after `timeout`. Keep [`Self::cursor`] together
    /// with what they caused.
    ///
    /// An error says why `journalctl` ended; it is started again by a later call, after a pause.
    pub fn next(&mut self, timeout: Duration, out: &mut dyn FnMut(&[u8])) -> io::Result<()> {
        let deadline = Instant::now() + timeout;
        if !self.start(deadline)? {
            return Ok(());
        }
        let Self { child: Some(running), buffer, cursor, begin, .. } = self else { return Ok(()) };
        let left = deadline.saturating_duration_since(Instant::now());
        let time = Timespec { tv_sec: left.as_secs().cast_signed(), tv_nsec: left.subsec_nanos().into() };
        match poll(&mut [PollFd::new(&running.output, PollFlags::IN)], Some(&time)) {
            Ok(0) | Err(Errno::INTR) => return Ok(()),
            Ok(_) => {}
            Err(error) => return Err(error.into()),
        }
        let count = match running.output.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            other => other?,
        };
        if count == 0 {
            return Err(self.ended());
        }
        self.pause = PAUSE_MIN;
        running.export.push(&buffer[..count], &mut |line, at| {
            *cursor = Some(at);
            if at.realtime >= *begin {
                out(line);
            }
        });
        Ok(())
    }

    /// The last entry that was handed out, or where reading began.
    pub const fn cursor(&self) -> Option<Cursor> {
        self.cursor
    }

    /// Whether a child runs, after starting one if it is time for it.
    fn start(&mut self, deadline: Instant) -> io::Result<bool> {
        if self.child.is_some() {
            return Ok(true);
        }
        if let Some(start) = self.next_start
            && start > Instant::now()
        {
            std::thread::sleep(start.min(deadline).saturating_duration_since(Instant::now()));
            if start > Instant::now() {
                return Ok(false);
            }
        }
        self.next_start = Some(Instant::now() + self.pause);
        self.pause = (self.pause * 2).min(PAUSE_MAX);
        let mut child = Command::new(&self.settings.program)
            .args(self.arguments())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let Some(output) = child.stdout.take() else { return Err(io::ErrorKind::BrokenPipe.into()) };
        let complaints = child.stderr.take();
        self.child = Some(Running { child, output, complaints, export: Export::default() });
        Ok(true)
    }

    fn arguments(&self) -> Vec<OsString> {
        let mut all: Vec<OsString> = ["--follow", "--no-pager", "--quiet", "--output=export"].map(Into::into).into();
        all.push(format!("--output-fields={}", FIELDS.join(",")).into());
        match self.cursor {
            Some(cursor) => all.extend(["--no-tail".into(), format!("--after-cursor={cursor}").into()]),
            None if self.settings.from_start => all.push("--no-tail".into()),
            // The last one tells where to go on, if nothing else is written before we are killed.
            None => all.push("--lines=1".into()),
        }
        all.extend(self.settings.units.iter().map(|unit| format!("--unit={unit}").into()));
        if let Some(directory) = &self.settings.directory {
            let mut argument = OsString::from("--directory=");
            argument.push(directory);
            all.push(argument);
        }
        all
    }

    /// What the child said before it ended.
    fn ended(&mut self) -> io::Error {
        let Some(mut running) = self.child.take() else { return io::ErrorKind::BrokenPipe.into() };
        let mut said = Vec::new();
        if let Some(complaints) = running.complaints.take() {
            // What cannot be read is not told.
            drop(complaints.take(COMPLAINT_BYTES_MAX as u64).read_to_end(&mut said));
        }
        let said = String::from_utf8_lossy(&said).trim().escape_debug().to_string();
        let program = self.settings.program.display();
        io::Error::other(if said.is_empty() { format!("{program} ended") } else { format!("{program} ended: {said}") })
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;

    use super::*;

    const ENTRY: &str = "__CURSOR=s=6c0b1c2d3e4f50617283940a5b6c7d8e;i=NUMBER;b=0;m=0;t=REALTIME;x=9\n__REALTIME_TIMESTAMP=1795247054120999\n_HOSTNAME=mx\nSYSLOG_IDENTIFIER=dovecot\nMESSAGE=NUMBER\n\n";

    /// A program in the place of `journalctl`, which writes down its arguments.
    fn stand_in(folder: &Path, script: &str) -> JournalSettings {
        let program = folder.join("journalctl");
        let text = format!("#!/bin/sh\ncd {}\necho \"$@\" >> arguments\n{script}\n", folder.display());
        std::fs::write(&program, text).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        for number in 0..4 {
            let realtime = if number == 0 { "1" } else { "ffffffffffffff" };
            let entry = ENTRY.replace("=REALTIME", &format!("={realtime}")).replace("NUMBER", &number.to_string());
            std::fs::write(folder.join(number.to_string()), entry).unwrap();
        }
        JournalSettings { program, units: vec!["dovecot.service".into()], directory: None, from_start: false }
    }

    /// Lines until there are `count`, and the errors on the way.
    fn read(sensor: &mut JournalSensor, count: usize) -> (Vec<String>, Vec<String>) {
        let (mut lines, mut errors) = (Vec::new(), Vec::new());
        let deadline = Instant::now() + Duration::from_secs(30);
        while lines.len() < count && Instant::now() < deadline {
            let result = sensor.next(Duration::from_millis(200), &mut |line| {
                lines.push(String::from_utf8_lossy(line).into_owned());
            });
            errors.extend(result.err().map(|error| error.to_string()));
        }
        (lines, errors)
    }

    #[test]
    fn a_child_that_ends_is_started_behind_the_last_entry() {
        let folder = tempfile::tempdir().unwrap();
        let script =
            "if grep -q after-cursor=s= arguments; then cat 3; sleep 30; else cat 0 1 2; echo oops >&2; exit 1; fi";
        let mut sensor = JournalSensor::new(stand_in(folder.path(), script), None);
        let (lines, errors) = read(&mut sensor, 3);
        let texts: Vec<_> = lines.iter().map(|line| line.rsplit(' ').next().unwrap()).collect();
        assert_eq!(texts, ["1", "2", "3"]);
        assert!(errors.len() == 1 && errors[0].ends_with("ended: oops"), "{errors:?}");
        assert_eq!(sensor.cursor().map(|cursor| cursor.number), Some(3));
        drop(sensor);
        let arguments = std::fs::read_to_string(folder.path().join("arguments")).unwrap();
        let arguments: Vec<_> = arguments.lines().collect();
        assert!(
            arguments[0].contains("--lines=1") && arguments[0].ends_with("--unit=dovecot.service"),
            "{arguments:?}"
        );
        assert!(
            arguments[1].contains("--no-tail --after-cursor=s=6c0b1c2d3e4f50617283940a5b6c7d8e;i=2;"),
            "{arguments:?}"
        );
    }

    #[test]
    fn an_idle_journal_is_no_error_and_a_missing_program_is_one() {
        let folder = tempfile::tempdir().unwrap();
        let settings = stand_in(folder.path(), "sleep 30");
        let mut sensor = JournalSensor::new(settings.clone(), None);
        let before = Instant::now();
        sensor.next(Duration::from_millis(50), &mut |_| ()).unwrap();
        assert!(before.elapsed() < Duration::from_secs(20));
        let program = folder.path().join("nowhere");
        let mut sensor = JournalSensor::new(JournalSettings { program, ..settings }, None);
        assert!(sensor.next(Duration::ZERO, &mut |_| ()).is_err());
        assert!(sensor.next(Duration::ZERO, &mut |_| ()).is_ok(), "it pauses");
    }
}
