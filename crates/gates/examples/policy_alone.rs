//! Postfix' gate with two limits on each login behind it, and nothing else: what the rest of a node adds is the difference.
//!
//! ```text
//! cargo run --release -p ratter-gates --features io --example policy_alone ADDRESS
//! ```
//!
//! It serves until it is ended; `bench/gates.sh` asks it beside an echo and beside a whole node.

#![expect(clippy::disallowed_methods, reason = "a measurement reads clocks, and what it was called with")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use base::{ListSet, Timestamp};
use gates::alone::{Alone, per_login};
use gates::io::{Limits, Listener, Place, Server};
use gates::policy::{Refusal, Settings};
use gates::postfix::Gate;
use rules::limits::LimitEffect;

fn clock() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(since.as_millis() as u64)
}

fn main() -> std::io::Result<()> {
    let usage = || std::io::Error::other("policy_alone ADDRESS");
    let address: SocketAddr = std::env::args().nth(1).and_then(|text| text.parse().ok()).ok_or_else(usage)?;
    // The two buckets of `bench/gates.sh`, which no load fills.
    let limit = per_login(1_000_000, &["1000 / 1s", "100000 / 1h"], LimitEffect::Defer);
    let node = Alone::new(vec![limit], clock).node();
    let settings = Settings { refusal: Refusal::Reject, refuse_lists: ListSet::EMPTY, mark_lists: ListSet::EMPTY };
    let gate = Arc::new(Gate::new(node, settings));
    let listener = Listener::bind(&Place::Tcp(address))?;
    let _server = Server::start("policy", vec![(gate, vec![listener])], clock, Limits::default())?;
    loop {
        thread::park();
    }
}
