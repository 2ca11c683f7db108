//! What an answer costs without the kernel: `answer_cost LISTFILE QUERYFILE ZONE [ROUNDS] [--one]`.
//!
//! LISTFILE is that of `serve_list`; QUERYFILE has lines `NAME TYPE …`. Prints nanoseconds per answer, and is what a
//! profiler that counts instructions is run on. `--one` answers one query at a time, as streams do.

#![expect(clippy::disallowed_methods, reason = "reads the files that it is to measure with, and measures time")]
#![expect(clippy::print_stdout, reason = "prints what it measured")]

use std::hint::black_box;
use std::process::ExitCode;
use std::time::Instant;
use std::{env, fs};

use base::{Address, Timestamp};
use dnsbl::serve::{Asker, BATCH_MAX, Responder, Transport, UDP_BYTES_MAX, Zones};

#[path = "common/mod.rs"]
mod common;
#[path = "common/list.rs"]
mod list;
use common::settings;
use list::load;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let (options, files): (Vec<_>, Vec<_>) = arguments.iter().partition(|argument| argument.starts_with("--"));
    let [list, queries, zone, rest @ ..] = &files[..] else {
        println!("usage: answer_cost LISTFILE QUERYFILE ZONE [ROUNDS] [--one]");
        return ExitCode::FAILURE;
    };
    let rounds = rest.first().map_or(5, |text| text.parse().unwrap_or(5));
    let (replica, codes) = load(list).expect("the list can be read");
    let (label, origin) = zone.split_once('.').expect("two labels");
    let zones = Zones::new(&settings(origin, label, &codes)).expect("the settings have no fault");
    let responder = Responder::new(zones);
    let counters = responder.counters();
    let text = fs::read_to_string(queries).expect("the queries can be read");
    let messages: Vec<Vec<u8>> = text.lines().map(|line| message(line.split(' ').next().unwrap_or(""))).collect();
    let snapshot = replica.snapshot();
    let mut buffers = vec![[0_u8; 25 * 64]; BATCH_MAX];
    let mut lengths = [0_usize; BATCH_MAX];
    let mut reply = [0; UDP_BYTES_MAX as usize];
    let client: Address = "198.51.100.1".parse().expect("an address");
    let asker = Asker { address: client, transport: Transport::Udp { max: UDP_BYTES_MAX }, now: Timestamp::EPOCH };
    let is_single = options.iter().any(|option| *option == "--one");
    for _ in 0..rounds {
        let start = Instant::now();
        for batch in messages.chunks(BATCH_MAX) {
            if is_single {
                for message in batch {
                    black_box(responder.answer(&snapshot, &asker, message, &mut reply, &counters));
                }
                continue;
            }
            for (index, message) in batch.iter().enumerate() {
                buffers[index][..message.len()].copy_from_slice(message);
                lengths[index] = message.len();
            }
            let (buffers, lengths) = (&mut buffers[..batch.len()], &mut lengths[..batch.len()]);
            responder.answer_batch(&snapshot, asker.now, buffers, lengths, |_| client, &counters);
        }
        println!("{:.1} ns", start.elapsed().as_nanos() as f64 / messages.len() as f64);
    }
    ExitCode::SUCCESS
}

/// The query for a name, of type A.
fn message(name: &str) -> Vec<u8> {
    let mut message = vec![1, 2, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        message.push(label.len() as u8);
        message.extend_from_slice(label.as_bytes());
    }
    message.extend_from_slice(&[0, 0, 1, 0, 1]);
    message
}
