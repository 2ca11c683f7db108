//! A sensor for all files of a pattern: it looks for new ones and gives each a thread of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use store::Position;
use tracing::{info, warn};

use super::Node;
use super::sensing::{Sensor, SensorGauge, follow};
use crate::config::{FileSensor, Start};

/// How often it looks for new files.
const LOOK: Duration = Duration::from_millis(500);

/// Most files that are followed by one pattern. Each has a thread.
const FILES_MAX: usize = 256;

/// How many looks a file must be gone before it is given up: a rotation takes a moment.
const LOOKS_MISSING_MAX: u32 = 120;

/// A file that is followed.
struct Followed {
    file: FileSensor,
    sensor: Sensor,
    gauge: Arc<SensorGauge>,
    missing: u32,
}

/// Starts the thread of a pattern. The files that are there are followed when this returns.
pub(super) fn start(pattern: &FileSensor, positions: &[Position], node: &Arc<Node>) -> anyhow::Result<Sensor> {
    let (from, positions, node) = (pattern.from, positions.to_vec(), Arc::clone(node));
    let mut folder = Folder { pattern: pattern.clone(), from, positions, node, followed: Vec::new(), fault: None };
    folder.look();
    Sensor::start(move |stop| folder.run(stop))
}

/// The files of a pattern.
struct Folder {
    pattern: FileSensor,
    /// Where a file that is found now is begun.
    from: Start,
    positions: Vec<Position>,
    node: Arc<Node>,
    followed: Vec<Followed>,
    /// What was wrong at the last look.
    fault: Option<String>,
}

impl Folder {
    fn run(mut self, stop: &AtomicBool) {
        while !stop.load(Ordering::Relaxed) {
            std::thread::sleep(LOOK);
            self.look();
        }
        // All at once, so that nobody waits for each in turn.
        for one in &self.followed {
            one.sensor.signal();
        }
    }

    /// Looks once, and says it if that is not possible.
    fn look(&mut self) {
        match look(&self.pattern, self.from, &self.positions, &self.node, &mut self.followed) {
            Ok(()) => self.fault = None,
            Err(error) => {
                let text = Some(error.to_string());
                if self.fault != text {
                    warn!(pattern = %self.pattern.path.display(), %error, "log files cannot be looked for; trying again");
                    self.fault = text;
                }
            }
        }
        // A file that comes later is new, so that it is read from its beginning.
        self.from = Start::Start;
    }
}

/// Follows what is new, and gives up what has long been gone.
fn look(
    pattern: &FileSensor,
    from: Start,
    positions: &[Position],
    node: &Arc<Node>,
    followed: &mut Vec<Followed>,
) -> anyhow::Result<()> {
    let there = sensors::io::matching(&pattern.path, FILES_MAX)?;
    for path in &there {
        if followed.len() < FILES_MAX && followed.iter().all(|one| one.file.path != *path) {
            let file = FileSensor { path: path.clone(), from, ..pattern.clone() };
            let (sensor, gauge) = follow(&file, positions, node)?;
            info!(file = %path.display(), "following");
            followed.push(Followed { file, sensor, gauge, missing: 0 });
        }
    }
    followed.retain_mut(|one| {
        one.missing = if there.contains(&one.file.path) { 0 } else { one.missing + 1 };
        let stays = one.missing < LOOKS_MISSING_MAX;
        if !stays {
            node.remove_gauge(&one.gauge);
        }
        stays
    });
    Ok(())
}
