//! What an answer costs without the kernel: `answer_cost LISTFILE QUERYFILE ZONE [ROUNDS] [--one] [--metered]`.
//!
//! LISTFILE is that of `serve_list`; QUERYFILE has lines `NAME TYPE …`. Prints nanoseconds per answer, and is what a
//! profiler that counts instructions is run on. `--one` answers one query at a time, as streams do. `--metered` counts
//! what clients are sent that may be forged, as a node does: 20,000 networks that ask five times a second each, and have come by TCP
//! before.

#![expect(clippy::disallowed_methods, reason = "reads the files that it is to measure with, and measures time")]
#![expect(clippy::print_stdout, reason = "prints what it measured")]

use std::hint::black_box;
use std::net::Ipv4Addr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;
use std::{env, fs};

use base::{Address, Timestamp};
use dnsbl::access::{Access, AccessSettings, KeySecret};
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
        println!("usage: answer_cost LISTFILE QUERYFILE ZONE [ROUNDS] [--one] [--metered]");
        return ExitCode::FAILURE;
    };
    let rounds = rest.first().map_or(5, |text| text.parse().unwrap_or(5));
    let (replica, codes) = load(list).expect("the list can be read");
    let (label, origin) = zone.split_once('.').expect("two labels");
    let zones = || Zones::new(&settings(origin, label, &codes)).expect("the settings have no fault");
    let is_metered = options.iter().any(|option| *option == "--metered");
    let responder = if is_metered {
        let settings = AccessSettings::default();
        let access = Access::new(&zones(), None, &settings, KeySecret::new([1; 16]), [2; 16]);
        Responder::with_access(zones(), Arc::new(access.expect("the settings have no fault")))
    } else {
        Responder::new(zones())
    };
    let counters = responder.counters();
    let text = fs::read_to_string(queries).expect("the queries can be read");
    let messages: Vec<Vec<u8>> = text.lines().map(|line| message(line.split(' ').next().unwrap_or(""))).collect();
    let snapshot = replica.snapshot();
    let mut buffers = vec![[0_u8; 25 * 64]; BATCH_MAX];
    let mut lengths = [0_usize; BATCH_MAX];
    let mut reply = [0; UDP_BYTES_MAX as usize];
    let client = |network: u64| Address::new(Ipv4Addr::from_bits(0x0b00_0007 + (network % 20_000) as u32 * 256).into());
    let asker = |transport, asked: u64| {
        // A hundred questions in a millisecond.
        Asker { address: client(asked), transport, now: Timestamp::from_millis(1_800_000_000_000 + asked / 100) }
    };
    for network in 0..20_000 {
        let asker = Asker { now: Timestamp::from_millis(1_799_999_000_000), ..asker(Transport::Tcp, network) };
        responder.answer(&snapshot, &asker, &messages[0], &mut reply, &counters);
    }
    let (udp, mut asked) = (Transport::Udp { max: UDP_BYTES_MAX }, 0);
    let is_single = options.iter().any(|option| *option == "--one");
    for _ in 0..rounds {
        let start = Instant::now();
        for batch in messages.chunks(BATCH_MAX) {
            if is_single {
                for message in batch {
                    black_box(responder.answer(&snapshot, &asker(udp, asked), message, &mut reply, &counters));
                    asked += 1;
                }
                continue;
            }
            for (index, message) in batch.iter().enumerate() {
                buffers[index][..message.len()].copy_from_slice(message);
                lengths[index] = message.len();
            }
            let (buffers, lengths) = (&mut buffers[..batch.len()], &mut lengths[..batch.len()]);
            let clients = |index: usize| client(asked + index as u64);
            responder.answer_batch(&snapshot, asker(udp, asked).now, buffers, lengths, clients, &counters);
            asked += batch.len() as u64;
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
