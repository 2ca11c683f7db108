//! What a million logins with two buckets cost: memory, and CPU for a message, without and with the file of charges.
//!
//! `cargo run --release -p ratter-store --example limits [LOGINS]`
#![expect(clippy::print_stdout, reason = "a report for the terminal")]
#![expect(clippy::disallowed_methods, reason = "a measurement reads the clock and a file of the kernel's")]

use std::sync::Arc;

use base::Timestamp;
use rules::limits::{Bucket, By, Cost, Ledger, Limit, LimitEffect, LimitMode, Limiter, Part, Rate, Sending, Unkept};
use store::ChargeLog;

fn limit() -> Limit {
    let bucket = |burst, rate| Bucket::new(burst, Rate::parse(rate).expect("a rate")).expect("a bucket");
    Limit {
        name: "per-user".into(),
        by: By { first: Part::Login, second: None },
        cost: Cost::Recipient,
        mode: LimitMode::Strict,
        buckets: [bucket(10, "1 / 1min"), bucket(100, "30 / 60min")].into(),
        effect: LimitEffect::Defer,
        except_logins: Box::default(),
        except_networks: Box::default(),
    }
}

/// CPU time of this process so far, user and system, in nanoseconds: `/proc/self/stat` counts hundredths of a second.
fn cpu_ns() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect::<Vec<_>>();
    fields[11..13].iter().filter_map(|ticks| ticks.parse::<u64>().ok()).sum::<u64>() * 10_000_000
}

fn measure(name: &str, logins: u32, ledger: Box<dyn Ledger>) {
    let limiter = Limiter::new(vec![limit()], logins as usize * 2, [7; 16], ledger);
    let started = 1_795_247_139_000;
    let before = cpu_ns();
    for number in 0..logins {
        let (login, instance) = (format!("user{number}@example.org"), format!("{number}.1"));
        let sending =
            Sending { session: "s", instance: &instance, login: Some(&login), recipients: 1, ..Sending::default() };
        // A million messages in ten minutes, so that as many are remembered as at a large host.
        let now = Timestamp::from_millis(started + u64::from(number) / 2);
        let (_reserved, _settled) = (limiter.reserve(now, &sending), limiter.settle(now, &sending));
        if number % 10_000 == 0 {
            limiter.poll(now);
        }
    }
    let each = (cpu_ns() - before) / u64::from(logins);
    let counters = limiter.counters();
    println!(
        "{name}: {} subjects and {} reservations in {:.1} MB, {each} ns CPU for a message (reserve and settle)",
        counters.subjects,
        counters.reservations,
        counters.bytes as f64 / 1e6,
    );
}

fn main() {
    let logins = std::env::args().nth(1).and_then(|count| count.parse().ok()).unwrap_or(1_000_000);
    measure("in memory", logins, Box::new(Unkept));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (log, _) = ChargeLog::open(folder.path(), Timestamp::EPOCH).expect("a log");
    measure("with the file", logins, Box::new(Arc::new(log)));
}
