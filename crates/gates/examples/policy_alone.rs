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

use base::{Address, Decision, Event, ListSet, Timestamp};
use gates::Lists;
use gates::io::{Limits, Listener, Place, Server};
use gates::policy::{Node, Refusal, Settings};
use gates::postfix::Gate;
use rules::limits::{
    Bucket, By, Cost, Limit, LimitEffect, LimitMode, Limiter, LoginTags, Outcome, Part, Rate, Sending, SendingDoor,
    Unkept,
};
use rules::{Door, Question};

/// Nothing is known against anybody, and two buckets are never full.
struct World {
    limiter: Limiter,
}

impl Door for World {
    fn ask(&self, _: Timestamp, _: &Question<'_>) -> Decision {
        Decision::PASS
    }

    fn observe(&self, _: &Event<'_>) -> Decision {
        Decision::PASS
    }
}

impl SendingDoor for World {
    fn reserve(&self, sending: &Sending<'_>) -> Outcome {
        self.limiter.reserve(clock(), sending)
    }

    fn settle(&self, sending: &Sending<'_>) -> Outcome {
        self.limiter.settle(clock(), sending)
    }

    fn release(&self, session: &str, instance: &str) {
        self.limiter.release(clock(), session, instance);
    }
}

impl Lists for World {
    fn lists_of(&self, _: Address) -> ListSet {
        ListSet::EMPTY
    }
}

fn clock() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(since.as_millis() as u64)
}

/// The two buckets of `bench/gates.sh`, which no load fills.
fn per_user() -> Limit {
    let bucket = |rate: &str| {
        let rate = Rate::parse(rate).expect("a rate that is written here");
        Bucket::new(1_000_000, rate).expect("a bucket that is written here")
    };
    Limit {
        name: "per-user".into(),
        by: By { first: Part::Login, second: None },
        cost: Cost::Recipient,
        mode: LimitMode::Strict,
        buckets: ["1000 / 1s", "100000 / 1h"].map(bucket).into(),
        effect: LimitEffect::Defer,
        tags: LoginTags::Drop,
        except_logins: Box::default(),
        except_networks: Box::default(),
    }
}

fn main() -> std::io::Result<()> {
    let usage = || std::io::Error::other("policy_alone ADDRESS");
    let address: SocketAddr = std::env::args().nth(1).and_then(|text| text.parse().ok()).ok_or_else(usage)?;
    let world = Arc::new(World { limiter: Limiter::new(vec![per_user()], 1_000_000, [7; 16], Box::new(Unkept)) });
    let node = Node {
        door: world.clone(),
        sending: world.clone(),
        lists: world,
        messages: None,
        names: Arc::new([]),
        reads_log: true,
    };
    let settings = Settings { refusal: Refusal::Reject, refuse_lists: ListSet::EMPTY, mark_lists: ListSet::EMPTY };
    let gate = Arc::new(Gate::new(node, settings));
    let listener = Listener::bind(&Place::Tcp(address))?;
    let _server = Server::start("policy", vec![(gate, vec![listener])], clock, Limits::default())?;
    loop {
        thread::park();
    }
}
