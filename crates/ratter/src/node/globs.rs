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

/// Starts the thread of a pattern.
pub(super) fn start(pattern: &FileSensor, positions: &[Position], node: &Arc<Node>) -> anyhow::Result<Sensor> {
    let (pattern, positions, node) = (pattern.clone(), positions.to_vec(), Arc::clone(node));
    Sensor::start(move |stop| run(&pattern, &positions, &node, stop))
}

fn run(pattern: &FileSensor, positions: &[Position], node: &Arc<Node>, stop: &AtomicBool) {
    let mut followed: Vec<Followed> = Vec::new();
    // A file that comes later is new, so that it is read from its beginning.
    let mut from = pattern.from;
    let mut fault = None;
    while !stop.load(Ordering::Relaxed) {
        match look(pattern, from, positions, node, &mut followed) {
            Ok(()) => fault = None,
            Err(error) => {
                let text = Some(error.to_string());
                if fault != text {
                    warn!(pattern = %pattern.path.display(), %error, "log files cannot be looked for; trying again");
                    fault = text;
                }
            }
        }
        from = Start::Start;
        std::thread::sleep(LOOK);
    }
    // All at once, so that nobody waits for each in turn.
    for one in &followed {
        one.sensor.signal();
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
