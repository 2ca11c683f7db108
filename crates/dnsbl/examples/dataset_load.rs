//! How long a large dataset takes to be read and built, and how large its table is.
//!
//! `cargo run --release -p ratter-dnsbl --example dataset_load -- [LINES]`

use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::time::Instant;

use base::Timestamp;
use dnsbl::datasets::{Kind, Options, Source, read};
use dnsbl::statics::Compiled;

#[expect(clippy::disallowed_methods, reason = "it measures time")]
#[expect(clippy::print_stdout, reason = "it tells what it measured")]
fn main() {
    let lines = std::env::args().nth(1).and_then(|lines| lines.parse().ok()).unwrap_or(10_000_000_u32);
    for (kind, is_valued) in
        [(Kind::Ip4TSet, false), (Kind::Ip4Set, false), (Kind::Ip4Set, true), (Kind::Ip4Trie, true)]
    {
        let mut text = String::from(":127.0.0.2:see $\n");
        for n in 0..lines {
            let address = Ipv4Addr::from_bits(n.wrapping_mul(0x9e37_79b9));
            let value = if is_valued { [" :2", " :3", " :4", " :5"][n as usize % 4] } else { "" };
            writeln!(text, "{address}{value}").expect("a string takes everything");
        }
        let source = Source { name: "list", bytes: text.as_bytes(), modified: 0 };
        let start = Instant::now();
        let dataset = read(kind, &[source], Timestamp::EPOCH, Options::default()).expect("the lines are without fault");
        let read_in = start.elapsed();
        let start = Instant::now();
        let compiled = Compiled::new(&dataset);
        let built_in = start.elapsed();
        let bytes = compiled.heap_bytes() as f64 / f64::from(lines);
        let name = kind.name();
        println!("{name} values={is_valued}: read {read_in:.2?}, built {built_in:.2?}, {bytes:.2} bytes per address");
    }
}
