//! After a restart secondaries get what changed, and not the whole zone, wherever that is certain.

use std::net::SocketAddr;

use ratter_tests::place::Place;
use ratter_tests::ratter::{Config, Node, ORIGIN};
use ratter_tests::secondary::{Secondary, differences, serial_of, transfer};
use ratter_tests::wait;
use rustix::process::Signal;

/// A node with a secondary that has its zone.
struct Pair {
    node: Node,
    secondary: Secondary,
    sections: String,
    zone: String,
    _place: Place,
    _nsd: ratter_tests::process::Process,
}

impl Pair {
    fn start() -> Self {
        let (place, secondary) = (Place::new("restart"), Secondary::new());
        let sections = secondary.sections(&place.join("keys"));
        let node = Node::start(&Config::new().with(&sections));
        let zone = format!("auth.{ORIGIN}");
        let nsd = secondary.start(place.path(), node.addresses().dns, &[&zone]);
        let pair = Self { node, secondary, sections, zone, _place: place, _nsd: nsd };
        pair.list("198.51.100.1");
        pair.list("203.0.113.0/24");
        pair.follow();
        pair
    }

    fn dns(&self) -> SocketAddr {
        self.node.addresses().dns
    }

    fn list(&self, subject: &str) {
        self.node.cli(&["list", subject, "--on", "auth", "--for", "1h", "--reason", "a test"]).with_code(0);
    }

    fn unlist(&self, subject: &str) {
        self.node.cli(&["unlist", subject, "--on", "auth"]).with_code(0);
    }

    fn ours(&self) -> Vec<String> {
        transfer(self.dns(), &self.zone, true).expect("the node gives its zone")
    }

    /// Waits until the secondary has what the node has, record by record, and gives that.
    fn follow(&self) -> Vec<String> {
        let theirs = || transfer(self.secondary.address(), &self.zone, true).ok();
        wait::until("NSD to have what the node has", || theirs().filter(|theirs| *theirs == self.ours()))
    }

    /// Whether it may be had from the file that this subject was listed or taken off so often.
    fn is_kept(&self, subject: &str, changes: usize) -> bool {
        self.node.why(subject).history.len() >= changes
    }

    /// What `before` is with the changes since, as the node tells them.
    fn brought_up(&self, before: &[String]) -> Option<Vec<String>> {
        let [gone, came] = differences(self.dns(), &self.zone, serial_of(before))?;
        let mut records = before.to_vec();
        for record in gone {
            let at = records.iter().position(|one| *one == record).unwrap_or_else(|| panic!("{record} was not there"));
            records.remove(at);
        }
        for record in came {
            assert!(!records.contains(&record), "{record} was there");
            records.push(record);
        }
        records.sort_unstable();
        Some(records)
    }

    /// How often differences were sent since the last start.
    fn incremental(&self) -> u64 {
        let dnsbl = self.node.quick_status().dnsbl.expect("there is DNS");
        dnsbl.transfers.expect("there are secondaries").incremental
    }

    /// Changes the zone, and shows that who has it as it was `before` needs only what changed.
    fn goes_on(&self, before: &[String], n: u8) {
        assert_eq!(self.brought_up(before).expect("changes"), self.ours(), "without a change of its own");
        let sent = self.incremental();
        self.list(&format!("198.51.100.{n}"));
        self.list(&format!("192.0.2.{}/31", n * 2));
        self.unlist(&format!("198.51.100.{}", n - 1));
        assert_eq!(self.brought_up(before).expect("changes"), self.ours());
        self.follow();
        assert!(self.incremental() > sent + 1, "NSD took changes besides ours");
    }
}

#[test]
fn secondaries_go_on_after_restarts() {
    let mut pair = Pair::start();
    let first = pair.follow();
    pair.node.stop();
    pair.node.start_again();
    pair.goes_on(&first, 2);

    let second = pair.follow();
    let pid = pair.node.process().id();
    let started = pair.node.quick_status().started;
    pair.node.process().signal(Signal::HUP);
    wait::until_true("the node to be started anew", || {
        let status = pair.node.cli(&["status", "--json"]);
        status.code == 0 && status.json::<console::api::Status>().started != started
    });
    assert_eq!(pair.node.process().id(), pid);
    pair.goes_on(&second, 3);
    assert_eq!(pair.brought_up(&first).expect("changes over two starts"), pair.ours());

    let third = pair.follow();
    wait::until_true("the last change to be in the file", || pair.is_kept("198.51.100.2", 2));
    pair.node.kill();
    pair.node.start_again();
    let jump = serial_of(&pair.ours()) - serial_of(&third);
    assert!(jump < 1 << 19, "a block of numbers, and one for each millisecond: {jump}");
    pair.goes_on(&third, 4);
    assert_eq!(pair.brought_up(&first).expect("changes over three starts"), pair.ours());
}

#[test]
fn what_is_not_certain_leads_to_the_whole_zone() {
    let mut pair = Pair::start();
    let first = pair.follow();
    // A number that nobody gave out.
    assert_eq!(differences(pair.dns(), &pair.zone, serial_of(&first) - 100_000), None);

    // Other records of the same listings.
    let other = Config::new().with(&pair.sections).dnsbl("contact = \"somebody-else@example.org\"");
    pair.node.configure(&other);
    pair.node.stop();
    pair.node.start_again();
    pair.list("198.51.100.2");
    assert_eq!(pair.brought_up(&first), None);
    let second = pair.follow();
    assert!(second.iter().any(|record| record.contains("somebody-else")));

    // A row that was taken out by hand.
    pair.node.stop();
    let database = pair.node.addresses().state.join("ratter.db");
    let mut command = std::process::Command::new(ratter_tests::process::program("sqlite3", "sqlite3"));
    command.arg(&database).arg("DELETE FROM listing WHERE subject = '198.51.100.1'");
    assert_eq!(ratter_tests::process::run(&mut command).code, 0);
    pair.node.start_again();
    assert_eq!(pair.brought_up(&second), None);
    let third = pair.follow();
    assert!(!third.iter().any(|record| record.starts_with("1.100.51.198.")));
    pair.goes_on(&third, 3);
}
