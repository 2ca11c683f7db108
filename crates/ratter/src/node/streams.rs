//! Sensors that follow no file: the systemd journal and the syslog listener, each on a thread of its own.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context;
use sensors::io::{JournalSensor, JournalSettings, SyslogListener, SyslogSettings};
use sensors::sources::journal::Cursor;
use sensors::{Reader, TimeZone, Timing};
use store::Position;
use tracing::{info, warn};

use super::Node;
use super::sensing::{Progress, Sensor, SensorGauge, position_of, zone_of};
use crate::clock;
use crate::config::{Config, Journal, Start, Syslog};

/// How long a source waits for lines before it looks whether it shall stop.
const WAIT_MAX: Duration = Duration::from_millis(500);

/// How long a source that failed is left alone. A journal has pauses of its own.
const RETRY: Duration = Duration::from_secs(1);

/// Starts a thread for each journal and each listener.
pub(super) fn start(config: &Config, positions: &[Position], node: &Arc<Node>) -> anyhow::Result<Vec<Sensor>> {
    let mut sensors = Vec::new();
    for journal in &config.journals {
        let position = position_of(positions, journal.path().as_ref());
        sensors.push(Stream::journal(journal, position, node).start()?);
    }
    for syslog in &config.syslogs {
        sensors.push(Stream::syslog(syslog, positions, node)?.start()?);
    }
    Ok(sensors)
}

/// What the thread of a source works with.
struct Stream {
    source: Source,
    reader: Reader,
    gauge: Arc<SensorGauge>,
    node: Arc<Node>,
    progress: Progress,
    /// What refused or cut lines are told of already.
    shed: u64,
}

enum Source {
    Journal { sensor: Box<JournalSensor>, kept: Option<Cursor> },
    Syslog(SyslogListener),
}

impl Stream {
    fn journal(journal: &Journal, position: Option<&Position>, node: &Arc<Node>) -> Self {
        // A cursor is four numbers, which is what a position has room for.
        let cursor = position.filter(|position| position.offset > 0).map(|position| Cursor {
            series: u128::from(position.device) << 64 | u128::from(position.inode),
            number: position.offset,
            realtime: position.fingerprint,
        });
        let settings = JournalSettings {
            program: "journalctl".into(),
            units: journal.units.clone(),
            directory: journal.directory.clone(),
            from_start: journal.from == Start::Start,
        };
        let source = Source::Journal { sensor: Box::new(JournalSensor::new(settings, cursor)), kept: cursor };
        Self::new(source, TimeZone::system(), journal.path(), position, node)
    }

    fn syslog(syslog: &Syslog, positions: &[Position], node: &Arc<Node>) -> anyhow::Result<Self> {
        let settings =
            SyslogSettings { udp: syslog.udp, tcp: syslog.tcp, unix: syslog.unix.clone(), allow: syslog.allow.clone() };
        let listener =
            SyslogListener::bind(settings).with_context(|| format!("{} cannot listen for syslog", syslog.path()))?;
        let position = position_of(positions, syslog.path().as_ref());
        let zone = zone_of(syslog.time_zone.as_deref())?;
        Ok(Self::new(Source::Syslog(listener), zone, syslog.path(), position, node))
    }

    fn new(source: Source, zone: TimeZone, path: String, position: Option<&Position>, node: &Arc<Node>) -> Self {
        let (lines, events) = position.map_or((0, 0), |position| (position.lines, position.events));
        let gauge = Arc::new(SensorGauge::new(path.into(), lines, events));
        node.add_gauge(&gauge);
        let reader = Reader::new(zone, Timing::Live).with_patterns(Arc::clone(&node.patterns));
        let progress = gauge.progress();
        Self { source, reader, gauge, node: Arc::clone(node), progress, shed: 0 }
    }

    fn start(self) -> anyhow::Result<Sensor> {
        Sensor::start(move |stop| self.run(stop))
    }

    fn run(mut self, stop: &AtomicBool) {
        while !stop.load(Ordering::Relaxed) {
            match self.read_on() {
                Ok(()) => self.progress.fault = None,
                Err(error) => {
                    self.complain(&error);
                    std::thread::sleep(RETRY);
                }
            }
            self.gauge.set(self.progress.clone());
        }
    }

    /// Reads what there is, at most waiting a moment for it, and pushes what it caused with the place behind it.
    fn read_on(&mut self) -> io::Result<()> {
        let Self { source, reader, node, progress, .. } = self;
        let mut batch = store::Batch::default();
        let serial = node.book.serial();
        let (lines, events) = (progress.lines, progress.events);
        let mut take = |line: &[u8]| {
            progress.lines += 1;
            let now = clock::now();
            reader.read(line, now, &mut |event| {
                progress.events += 1;
                node.observe_into(now, &event, &mut batch);
            });
        };
        let result = match source {
            Source::Journal { sensor, .. } => sensor.next(WAIT_MAX, &mut take),
            Source::Syslog(listener) => listener.next(WAIT_MAX, &mut take),
        };
        if progress.lines > lines {
            progress.pulse.saw(clock::now(), progress.lines - lines, progress.events - events);
        }
        batch.position = self.position();
        if batch != store::Batch::default() {
            self.node.store.push(batch);
        }
        if self.node.book.serial() != serial {
            self.node.store.wake();
        }
        self.tell_what_was_shed();
        result
    }

    /// The place to go on at, if it is another than the one that is stored.
    fn position(&mut self) -> Option<Position> {
        let Source::Journal { sensor, kept } = &mut self.source else { return None };
        let cursor = sensor.cursor().filter(|cursor| Some(*cursor) != *kept)?;
        *kept = Some(cursor);
        Some(Position {
            path: self.gauge.path.to_string_lossy().into(),
            device: (cursor.series >> 64) as u64,
            inode: cursor.series as u64,
            offset: cursor.number,
            fingerprint: cursor.realtime,
            lines: self.progress.lines,
            events: self.progress.events,
        })
    }

    /// Says that lines are refused or cut, when their number has doubled: a flood of them is no flood of messages.
    fn tell_what_was_shed(&mut self) {
        let Source::Syslog(listener) = &self.source else { return };
        let counters = listener.counters();
        let shed = counters.refused + counters.cut + counters.displaced;
        self.progress.shed = shed;
        if shed > 2 * self.shed {
            self.shed = shed;
            let (refused, cut, displaced) = (counters.refused, counters.cut, counters.displaced);
            info!(sensor = %self.gauge.path.display(), refused, cut, displaced, "syslog lines and connections were shed");
        }
    }

    /// Says once what is wrong, and shows it in the status until it is mended.
    fn complain(&mut self, error: &io::Error) {
        let fault = error.to_string();
        if self.progress.fault.as_ref() != Some(&fault) {
            warn!(sensor = %self.gauge.path.display(), %error, "the source cannot be read; trying again");
            self.progress.fault = Some(fault);
        }
    }
}
