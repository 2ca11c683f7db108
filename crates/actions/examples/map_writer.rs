//! Writes a map again and again, for the test that kills it: the states alternate as `files.rs` knows them.
//!
//! `map_writer PATH` goes on until it is killed.

use std::path::PathBuf;

fn main() {
    let path = PathBuf::from(std::env::args().nth(1).expect("the path of the map"));
    for number in 0_u32.. {
        actions::io::replace(&path, state(number).as_bytes()).expect("the map can be written");
    }
}

/// One of four texts, of different lengths, such that a beginning of one has other addresses than the whole.
fn state(number: u32) -> String {
    let hosts = 100..120 + (number % 4) * 40;
    hosts.flat_map(|host| [format!("203.0.113.{host}\n"), format!("198.51.{host}.0/24\n")]).collect()
}
