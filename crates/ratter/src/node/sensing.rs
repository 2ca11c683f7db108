//! A thread for each followed log file: lines in, events observed, and the events pushed to the store together with the
//! place up to which the file was read.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use ::console::api::SensorStatus;
use anyhow::Context;
use base::Timestamp;
use sensors::io::ReadAhead;
use sensors::lines::Lines;
use sensors::patterns::Patterns;
use sensors::tail::{self, Checkpoint};
use sensors::{Reader, TimeZone, Timing};
use store::Position;
use tracing::warn;

use super::pulse::Pulse;
use super::{Node, globs};
use crate::clock;
use crate::config::{self, Config, FileSensor};

/// How long a sensor waits for lines before it looks whether it shall stop.
const WAIT_MAX: Duration = Duration::from_millis(500);

/// How long a file that cannot be read is left alone.
const RETRY: Duration = Duration::from_secs(1);

/// How long a sensor waits until its first place is stored.
const SAVE_PATIENCE: Duration = Duration::from_secs(2);

/// How far a sensor has come, for those who ask.
pub(crate) struct SensorGauge {
    /// The file, as configured.
    pub(crate) path: PathBuf,
    progress: Mutex<Progress>,
}

/// Counts over the life of a file's path, over all restarts.
#[derive(Clone, Default)]
pub(crate) struct Progress {
    /// Lines read.
    pub(crate) lines: u64,
    /// Events found in them.
    pub(crate) events: u64,
    /// Lines and connections that were refused, cut or displaced since the start: a listener's alone.
    pub(crate) shed: u64,
    /// What keeps the file from being read, if anything does.
    pub(crate) fault: Option<String>,
    /// Whether the file up to which it had read was gone at the start.
    pub(crate) has_lost: bool,
    /// When it last told something, since the start.
    pub(crate) pulse: Pulse,
}

impl SensorGauge {
    pub(crate) fn new(path: PathBuf, lines: u64, events: u64) -> Self {
        Self { path, progress: Mutex::new(Progress { lines, events, ..Progress::default() }) }
    }

    pub(crate) fn progress(&self) -> Progress {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn status(&self) -> SensorStatus {
        let Progress { lines, events, shed, fault, .. } = self.progress();
        let state = fault.unwrap_or_else(|| "reading".to_owned());
        SensorStatus { path: self.path.display().to_string(), state, lines, events, shed }
    }

    /// What somebody should look at.
    pub(crate) fn warning(&self, now: Timestamp) -> Option<String> {
        /// So many lines of a mail server's log tell something.
        const LINES_TELLING: u64 = 1000;
        let Progress { lines, events, pulse, has_lost, .. } = self.progress();
        if has_lost {
            let lost = "the file that was read last is gone, and so are the lines that were written to it while Ratter was down";
            return Some(format!("{}: {lost}", self.path.display()));
        }
        let never = (events == 0 && lines >= LINES_TELLING).then(|| {
            format!("{lines} lines and never an event; does the log want `service = \"…\"`? `ratter unknown` shows what they say")
        });
        let warning = never.or_else(|| pulse.warning(now))?;
        Some(format!("{}: {warning}", self.path.display()))
    }

    pub(super) fn set(&self, progress: Progress) {
        *self.progress.lock().unwrap_or_else(PoisonError::into_inner) = progress;
    }
}

/// A sensor's thread, which ends when this is dropped.
pub(crate) struct Sensor {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Sensor {
    /// Starts a thread that runs `work` until it is told to stop.
    pub(super) fn start(work: impl FnOnce(&AtomicBool) + Send + 'static) -> anyhow::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let signal = Arc::clone(&stop);
        let thread = std::thread::Builder::new().name("sensor".into()).spawn(move || {
            sensors::io::ask_for_short_turns();
            work(&signal);
        })?;
        Ok(Self { stop, thread: Some(thread) })
    }

    /// Tells the thread to stop, and does not wait for it.
    pub(super) fn signal(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

impl Drop for Sensor {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has said so; there is nothing left to end.
            thread.join().unwrap_or_default();
        }
    }
}

/// Starts a thread for each configured file, and one for each pattern of files.
pub(crate) fn start(files: &[FileSensor], positions: &[Position], node: &Arc<Node>) -> anyhow::Result<Vec<Sensor>> {
    let start = |file: &FileSensor| {
        if sensors::io::is_glob(&file.path) {
            return globs::start(file, positions, node);
        }
        follow(file, positions, node).map(|(sensor, _)| sensor)
    };
    files.iter().map(start).collect()
}

/// Starts a thread that follows a file, going on where the last run stopped.
pub(super) fn follow(
    file: &FileSensor,
    positions: &[Position],
    node: &Arc<Node>,
) -> anyhow::Result<(Sensor, Arc<SensorGauge>)> {
    let past = position_of(positions, &file.path);
    let (lines, events) = past.map_or((0, 0), |past| (past.lines, past.events));
    let gauge = Arc::new(SensorGauge::new(file.path.clone(), lines, events));
    let mut follower = Follower::new(file, past, Arc::clone(&gauge), Arc::clone(node))?;
    // Opened before the node says that it runs, so that nothing written after that is taken for old. What hinders it is told
    // by the thread, which tries again.
    let _opened = follower.sensor.open();
    let sensor = Sensor::start(move |stop| follower.run(stop))?;
    node.add_gauge(&gauge);
    Ok((sensor, gauge))
}

/// What a sensor's thread works with.
struct Follower {
    sensor: sensors::io::FileSensor,
    reader: Reader,
    gauge: Arc<SensorGauge>,
    node: Arc<Node>,
    progress: Progress,
    /// The last checkpoint that was pushed.
    kept: Option<Checkpoint>,
}

impl Follower {
    fn new(
        file: &FileSensor,
        position: Option<&Position>,
        gauge: Arc<SensorGauge>,
        node: Arc<Node>,
    ) -> anyhow::Result<Self> {
        let start = match file.from {
            config::Start::Start => tail::Start::Beginning,
            config::Start::End => tail::Start::End,
        };
        let kept = position.map(|position| Checkpoint {
            device: position.device,
            inode: position.inode,
            offset: position.offset,
            fingerprint: position.fingerprint,
            lines: position.lines,
        });
        let progress = gauge.progress();
        let sensor = sensors::io::FileSensor::new(&file.path, start, kept);
        let reader = Reader::new(zone_of(file.time_zone.as_deref())?, Timing::Live);
        let reader = of_service(reader, file.service.as_deref())?.with_patterns(Arc::clone(&node.patterns));
        Ok(Self { sensor, reader, gauge, node, progress, kept })
    }

    fn run(mut self, stop: &AtomicBool) {
        let mut has_begun = false;
        while !stop.load(Ordering::Relaxed) {
            let step = if has_begun { self.read_on() } else { self.begin() };
            match step {
                Ok(()) => {
                    has_begun = true;
                    self.progress.fault = self.obstacle();
                }
                Err(error) => {
                    self.complain(&error);
                    std::thread::sleep(RETRY);
                }
            }
            self.gauge.set(self.progress.clone());
        }
    }

    /// Stores the place at which reading begins, before a line is read: whoever is killed in the next moment goes on
    /// there. For a file that is not there yet, the place is the beginning of whatever comes.
    fn begin(&mut self) -> std::io::Result<()> {
        const NOWHERE: Checkpoint = Checkpoint { device: 0, inode: 0, offset: 0, fingerprint: 0, lines: 0 };
        let checkpoint = self.sensor.open()?.or(self.kept).unwrap_or(NOWHERE);
        self.progress.has_lost = self.sensor.counters().vanished > 0;
        if self.progress.has_lost {
            warn!(file = %self.gauge.path.display(), "the file that was read last is gone, with what was written to it since");
        }
        let position = Some(self.position(checkpoint));
        self.node.store.push(store::Batch { position, ..store::Batch::default() });
        self.kept = Some(checkpoint);
        if let Err(error) = self.node.store.flush(SAVE_PATIENCE) {
            warn!(file = %self.gauge.path.display(), %error, "the place at which reading begins is not stored yet");
        }
        Ok(())
    }

    /// What keeps the file from bringing lines, though nothing went wrong.
    fn obstacle(&self) -> Option<String> {
        let is_missing = matches!(self.gauge.path.try_exists(), Ok(false));
        is_missing.then(|| "waiting: there is no such file".to_owned())
    }

    /// Reads what there is, at most waiting a moment for it, and pushes what it caused with the place behind it.
    fn read_on(&mut self) -> std::io::Result<()> {
        let Self { sensor, reader, node, progress, .. } = self;
        let mut batch = store::Batch::default();
        let serial = node.book.serial();
        let (lines_before, events_before) = (progress.lines, progress.events);
        let checkpoint = match sensor.next(WAIT_MAX)? {
            Some(lines) => {
                let now = clock::now();
                for line in lines.lines {
                    reader.read(line, now, &mut |event| {
                        progress.events += 1;
                        node.observe_into(now, &event, &mut batch);
                    });
                }
                progress.lines = lines.checkpoint.lines;
                let events = progress.events - events_before;
                progress.pulse.saw(now, progress.lines.saturating_sub(lines_before), events);
                Some(lines.checkpoint)
            }
            // A file without news still has a place: what is written while Ratter is down is found from there.
            None => sensor.checkpoint(),
        };
        if checkpoint.is_some() && checkpoint != self.kept {
            batch.position = checkpoint.map(|checkpoint| self.position(checkpoint));
            self.kept = checkpoint;
        }
        if batch != store::Batch::default() {
            self.node.store.push(batch);
        }
        if self.node.book.serial() != serial {
            self.node.store.wake();
        }
        Ok(())
    }

    fn position(&self, checkpoint: Checkpoint) -> Position {
        Position {
            path: self.gauge.path.to_string_lossy().into(),
            device: checkpoint.device,
            inode: checkpoint.inode,
            offset: checkpoint.offset,
            fingerprint: checkpoint.fingerprint,
            lines: checkpoint.lines,
            events: self.progress.events,
        }
    }

    /// Says once what is wrong, and shows it in the status until it is mended.
    fn complain(&mut self, error: &std::io::Error) {
        let fault = error.to_string();
        if self.progress.fault.as_ref() != Some(&fault) {
            warn!(file = %self.gauge.path.display(), %error, "the log file cannot be read; trying again");
            self.progress.fault = Some(fault);
        }
    }
}

pub(super) fn position_of<'a>(positions: &'a [Position], path: &Path) -> Option<&'a Position> {
    positions.iter().find(|position| *position.path == *path.to_string_lossy())
}

/// The zone of stamps that name none.
pub(super) fn zone_of(name: Option<&str>) -> anyhow::Result<TimeZone> {
    let Some(name) = name else { return Ok(TimeZone::system()) };
    TimeZone::get(name).with_context(|| format!("the time zone {name} is not known here"))
}

/// The reader of a log that is said to be of that service.
fn of_service(reader: Reader, service: Option<&str>) -> anyhow::Result<Reader> {
    Ok(match service {
        Some(service) => reader.with_service(service)?,
        None => reader,
    })
}

/// The reader of a log file that is replayed: in the zone of the sensor that follows it, if one does, and of that sensor's
/// service, if none is given.
pub(crate) fn reader_of_log(config: &Config, log: &Path, service: Option<&str>) -> anyhow::Result<Reader> {
    let sensor = config.sensors.iter().find(|sensor| sensor.path == log);
    let zone = zone_of(sensor.and_then(|sensor| sensor.time_zone.as_deref()))?;
    let service = service.or_else(|| sensor.and_then(|sensor| sensor.service.as_deref()));
    let patterns = Arc::new(Patterns::new(config.patterns.clone()));
    Ok(of_service(Reader::new(zone, Timing::Replay), service)?.with_patterns(patterns))
}

/// A log file that is replayed.
pub(crate) struct OldLog {
    path: PathBuf,
    lines: ReadAhead,
    /// When it was last written, which is what a stamp without a year is near to.
    pub(crate) written: Timestamp,
    fault: Option<std::io::Error>,
}

impl OldLog {
    /// Opens the file at `path`, compressed or not; `-` is standard input.
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        let opened = open_log(path);
        let opened =
            opened.and_then(|(input, written)| Ok((ReadAhead::new(sensors::io::journal_text(input)?)?, written)));
        let (lines, written) = opened.with_context(|| format!("{} cannot be read", path.display()))?;
        Ok(Self { path: path.to_owned(), lines, written, fault: None })
    }

    /// The next lines, as many as are there; none at the end, or where no more can be read, which [`end`](Self::end) tells.
    pub(crate) fn next_lines(&mut self) -> Option<Lines<'_>> {
        self.lines.next_lines().unwrap_or_else(|error| {
            self.fault = Some(error);
            None
        })
    }

    /// What stands before the place where no more could be read counts; the error names that place, behind the `lines`
    /// that were read.
    pub(crate) fn end(self, lines: u64) -> anyhow::Result<()> {
        let Some(error) = self.fault else { return Ok(()) };
        let place = format!(
            "{} cannot be read on behind line {lines}; what is told is of the lines up to there",
            self.path.display()
        );
        Err(anyhow::Error::from(error).context(place))
    }
}

#[expect(clippy::disallowed_methods, reason = "a file that the user names is opened here")]
fn open_log(path: &Path) -> std::io::Result<(Box<dyn Read + Send>, Timestamp)> {
    if path == Path::new("-") {
        return Ok((sensors::io::decompressed(std::io::stdin())?, clock::now()));
    }
    let file = File::open(path)?;
    let written = file.metadata()?.modified()?;
    let since = written.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Ok((sensors::io::decompressed(file)?, Timestamp::EPOCH.plus(since)))
}
