//! Addresses that write to recipients that do not exist go on the list that their reverse name says, as a real BIND knows
//! it, and off again when the name is mended.

use ratter_tests::bind::Bind;
use ratter_tests::dns::{Dig, entry};
use ratter_tests::lines::Log;
use ratter_tests::place::Place;
use ratter_tests::ratter::{Config, Node, ORIGIN};
use ratter_tests::wait;

const DYNAMIC: &str = "203.0.113.77";
const NAMELESS: &str = "203.0.113.78";
const PROPER: &str = "203.0.113.79";
const SENDER: &str = "203.0.113.80";
/// In a zone that the server cannot load.
const UNKNOWN: &str = "198.51.100.1";

const REVERSE: &str = "113.0.203.in-addr.arpa";

/// Records of reverse names.
fn pointers(names: &[(u8, &str)]) -> Vec<String> {
    names.iter().map(|(host, name)| format!("{host} PTR {name}")).collect()
}

fn node(bind: &Bind, log: &Log) -> Node {
    let resolver = format!("[resolver]\nservers = [\"{}\"]\nrecheck = \"2s\"\n", bind.address());
    Node::start(&Config::new().follow(log.path()).with(&resolver))
}

/// What Postfix writes about a recipient that does not exist.
fn unknown_recipients(log: &mut Log, address: &str, many: usize) {
    for number in 0..many {
        log.line(&format!(
            "postfix/smtpd[2201]: NOQUEUE: reject: RCPT from unknown[{address}]: 550 5.1.1 <user{number}@example.org>: \
             Recipient address rejected: User unknown in virtual mailbox table; from=<a@example.com> \
             to=<user{number}@example.org> proto=ESMTP helo=<host>"
        ));
    }
}

fn lists_of(dig: Dig, address: &str) -> Vec<String> {
    let mut codes = dig.addresses(&entry(address, "all", ORIGIN));
    codes.sort();
    codes
}

#[test]
fn the_reverse_name_says_which_list_and_a_mended_one_ends_it() {
    let before = [(77, "dyn-203-0-113-77.pool.example.net."), (79, "mail.example.net."), (80, "mx.example.net.")];
    let broken = ["no zone".to_owned()];
    let mut bind = Bind::start(1, &[(REVERSE, &pointers(&before)), ("100.51.198.in-addr.arpa", &broken)]);
    let place = Place::new("log");
    let mut log = Log::open(&place.join("mail.log"));
    let node = node(&bind, &log);

    for address in [DYNAMIC, NAMELESS, PROPER, UNKNOWN] {
        unknown_recipients(&mut log, address, 10);
    }
    // A server that brings much mail may know some old addresses.
    for number in 0..40 {
        log.line(&format!("postfix/smtpd[2202]: {number:010X}: client=mx.example.net[{SENDER}]"));
        log.line(&format!(
            "postfix/qmgr[2203]: {number:010X}: from=<list@example.net>, size=1200, nrcpt=1 (queue active)"
        ));
        std::thread::sleep(std::time::Duration::from_millis(60));
    }
    unknown_recipients(&mut log, SENDER, 10);

    assert_eq!(node.wait_listed(DYNAMIC, "dyna").maker, "rule unknown-recipients-dyna");
    assert_eq!(node.wait_listed(NAMELESS, "noptr").maker, "rule unknown-recipients-noptr");
    node.wait_whole(log.path());
    unknown_recipients(&mut log, PROPER, 30);
    assert_eq!(node.wait_listed(PROPER, "spam").maker, "rule unknown-recipients-spam");

    assert_eq!(lists_of(node.dig(), DYNAMIC), ["127.0.0.36"]);
    assert_eq!(lists_of(node.dig(), NAMELESS), ["127.0.0.37"]);
    assert_eq!(lists_of(node.dig(), PROPER), ["127.0.0.38"]);
    assert_eq!(lists_of(node.dig(), UNKNOWN), [""; 0], "who cannot be told lists nobody");
    assert_eq!(lists_of(node.dig(), SENDER), [""; 0], "the good counts against the bad");
    let why = node.cli(&["why", DYNAMIC]).with_code(0).out;
    assert!(why.contains("dyn-203-0-113-77.pool.example.net"), "{why}");

    // The provider gives both a name of their own; nobody asks for anything.
    let after = [(77, "mail.example.com."), (78, "mx.example.com."), (79, "mail.example.net.")];
    bind.change(REVERSE, &pointers(&after));
    wait::until_true("the listings to end", || {
        node.listing(DYNAMIC, "dyna").is_none() && node.listing(NAMELESS, "noptr").is_none()
    });
    assert_eq!((lists_of(node.dig(), DYNAMIC).len(), lists_of(node.dig(), NAMELESS).len()), (0, 0));
    assert_eq!(lists_of(node.dig(), PROPER), ["127.0.0.38"]);
}
