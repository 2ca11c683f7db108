//! Whether the ends of messages are told at all: by whom it is decided, against whom, and for how long.

use std::sync::{Arc, Mutex};

use base::Timestamp;
use rules::limits::{Charge, Cost, Ledger, Limiter, Outcome, Part, RESERVATION_LIFE, Sending};

use crate::model::limit;

/// Keeps everything in memory.
#[derive(Default)]
struct Kept(Mutex<Vec<(u64, u64, Vec<u64>)>>);

impl Ledger for Kept {
    fn keep(&self, charges: &[Charge<'_>]) {
        let charges = charges.iter().map(|charge| (charge.limit, charge.key, charge.words.to_vec()));
        self.0.lock().unwrap().extend(charges);
    }
}

/// A mail server before a limiter that may be started anew.
struct Server {
    limiter: Limiter,
    kept: Arc<Kept>,
    messages: u32,
}

const NOW: Timestamp = Timestamp::from_secs(1_795_247_139);

impl Server {
    fn new() -> Self {
        let kept = Arc::new(Kept::default());
        Self { limiter: Self::limiter(&kept), kept, messages: 0 }
    }

    fn limiter(kept: &Arc<Kept>) -> Limiter {
        let limits = vec![limit("per-user", Part::Login, Cost::Recipient, &[(5, "1 / 1h")])];
        Limiter::new(limits, 1000, [1; 16], Box::new(Arc::clone(kept)))
    }

    /// What was kept is all that is left. `is_afresh` if the file is written afresh first.
    fn restart(&mut self, is_afresh: bool) {
        if is_afresh {
            let afresh = Kept::default();
            self.limiter.tell_all(NOW, &mut |charge| afresh.keep(&[*charge]));
            self.kept = Arc::new(afresh);
        }
        self.limiter = Self::limiter(&self.kept);
        let kept = self.kept.0.lock().unwrap().clone();
        let charge = |(limit, key, words): &(u64, u64, Vec<u64>), take: &dyn Fn(&Charge<'_>)| {
            take(&Charge { limit: *limit, key: *key, words });
        };
        for record in &kept {
            charge(record, &|charge| self.limiter.restore_definition(charge));
        }
        for record in &kept {
            charge(record, &|charge| self.limiter.restore(NOW, charge));
        }
    }

    fn begin(&mut self, login: &str) -> bool {
        self.messages += 1;
        let instance = self.messages.to_string();
        self.limiter.reserve(NOW, &sending(login, &instance)) == Outcome::Pass
    }

    fn give_up(&mut self, login: &str) -> bool {
        let is_taken = self.begin(login);
        self.limiter.release(NOW, "s", &self.messages.to_string());
        is_taken
    }

    fn end(&mut self, login: &str) -> bool {
        let is_taken = self.begin(login);
        is_taken && self.limiter.settle(NOW, &sending(login, &self.messages.to_string())) == Outcome::Pass
    }

    fn level(&self, login: &str) -> u64 {
        self.limiter.explain(NOW, &Sending { login: Some(login), ..Sending::default() })[0].level_milli
    }

    fn are_missing(&self) -> bool {
        self.limiter.without_ends().count() > 0
    }
}

fn sending<'a>(login: &'a str, instance: &'a str) -> Sending<'a> {
    Sending { session: "s", instance, login: Some(login), recipients: 1, ..Sending::default() }
}

/// A mail server that never asks at the end of a message.
#[test]
fn whoever_is_told_of_no_end_limits_all_the_same() {
    let mut server = Server::new();
    let logins = ["alice@example.org", "bob@example.org", "carol@example.org"];
    assert!((0..10).all(|number| server.give_up(logins[number % 3])));
    assert!(server.are_missing());
    for login in [&logins[..], &["dave@example.org"]].concat() {
        assert_eq!((0..100).filter(|_| server.give_up(login)).count(), 5, "the limit holds for {login}");
    }
    // Also for those that are never heard of again.
    assert!(server.begin("erin@example.org"));
    let later = NOW.plus(RESERVATION_LIFE);
    server.limiter.poll(later);
    let of_erin = Sending { login: Some("erin@example.org"), ..Sending::default() };
    assert_eq!(server.limiter.explain(later, &of_erin)[0].level_milli, 1000);
    // A restart changes nothing of that, however often the file was written afresh.
    for is_afresh in [false, true, true] {
        server.restart(is_afresh);
        let login = format!("frank-{}@example.org", server.messages);
        assert!(server.are_missing());
        assert_eq!((0..10).filter(|_| server.give_up(&login)).count(), 5);
    }
    // One that ends says that ends are told.
    assert!(server.end("grace@example.org") && !server.are_missing());
}

/// One login alone, on a node that knows of no end yet: what it gives up is charged to it, and to nobody else.
#[test]
fn one_login_decides_about_itself_alone() {
    let mut server = Server::new();
    let taken = (0..100).filter(|_| server.give_up("alice@example.org")).count();
    assert_eq!(taken, 10 + 5, "ten tell that no end of hers comes, and from then on the limit holds");
    assert!(server.are_missing(), "none has ended yet, which is told");
    assert!((0..10).all(|_| server.give_up("bob@example.org")));
    assert_eq!(server.level("bob@example.org"), 0);
}

/// A mail server that tells of ends, and a thief who gives up his messages to have others limited.
#[test]
fn who_gives_up_messages_where_ends_are_told_harms_himself() {
    for is_afresh in [false, true] {
        let mut server = Server::new();
        assert!(server.end("carol@example.org"));
        server.restart(is_afresh);
        assert!((0..100).all(|_| server.give_up("mallory@example.org")), "what he gives up is given back");
        assert!(!server.are_missing());
        assert!((0..20).all(|_| server.give_up("alice@example.org")), "hers is given back, too");
        assert_eq!(server.level("alice@example.org"), 0);
        assert_eq!((0..20).filter(|_| server.give_up("mallory@example.org")).count(), 5, "he never ends one");
        // Without any end for all that, and from several, it is concluded that ends are told no more.
        assert!(!server.are_missing());
        server.give_up("bob@example.org");
        assert!(server.are_missing());
        assert!(server.end("carol@example.org") && !server.are_missing());
        assert!((0..20).all(|_| server.give_up("alice@example.org")));
    }
}
