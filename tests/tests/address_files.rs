//! Files that tell of addresses in which network and country they are: what is wrong with one is said, and a country counts for
//! an account as soon as the file is there.
#![expect(clippy::disallowed_methods, reason = "tests write files")]

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use ratter_tests::place::free_port;
use ratter_tests::ratter::{Config, Node};
use ratter_tests::wait;

#[path = "../../crates/ratter/src/node/address_files/mmdb.rs"]
mod mmdb;

/// Where the owner lives, and a network in which the file knows the country.
const HOME: &str = "192.0.2.10";
const ABROAD: &str = "203.0.113.9";

/// Asks about a recipient as Postfix does, and what it is to do.
fn ask(gate: SocketAddr, address: &str, client: &str, message: usize, recipient: &str) -> String {
    let mut stream = TcpStream::connect(gate).expect("the gate listens");
    write!(
        stream,
        "request=smtpd_access_policy\nprotocol_state=RCPT\nsasl_username=alice\nsasl_method=PLAIN\nhelo_name={client}\n\
         client_address={address}\ninstance={message}\nsender=alice@example.org\nrecipient={recipient}\n\n"
    )
    .expect("the gate takes the question");
    let mut answer = Vec::new();
    while !answer.ends_with(b"\n\n") {
        let mut bytes = [0; 512];
        let count = stream.read(&mut bytes).expect("the gate answers");
        assert!(count > 0, "the gate answers");
        answer.extend_from_slice(&bytes[..count]);
    }
    String::from_utf8(answer).expect("an answer is text").trim_end().to_owned()
}

#[test]
fn what_is_wrong_with_a_file_is_said_and_a_country_counts_as_soon_as_it_is_told() {
    let gate = free_port();
    // All of the account's mail is asked about in a moment, and none of it comes to its end here.
    let limit =
        "[[limit]]\nname = \"per-user\"\nby = \"login\"\nbuckets = [{ burst = 1000, rate = \"1000 / 1min\" }]\n";
    let config = Config::new()
        .with(limit)
        .node("asn-file = \"asn.mmdb\"\ncountry-file = \"country.mmdb\"")
        .with(&format!("[gate.postfix]\nlisten = [\"{gate}\"]\n[accounts]\nnote = 3\n"));
    let mut node = Node::start_in_the_past("9d", &config);
    for number in 0..30 {
        let answer = ask(gate, HOME, "laptop.example", number, &format!("friend{number}@example.net"));
        assert!(answer.starts_with("action=DUNNO"), "{answer}");
    }
    node.stop();
    let path = |name: &str| node.place().path().join(name);
    let (asn, country) = (path("asn.mmdb"), path("country.mmdb"));
    let prefix = u32::from_be_bytes([203, 0, 113, 0]);
    let (systems, countries) = (mmdb::systems(prefix, 24, 64_500), mmdb::countries(prefix, 24, "NL"));

    // A half and a wrong one: no fault of the configuration, but of theirs.
    fs::write(&asn, &systems[..300]).unwrap();
    fs::write(&country, &systems).unwrap();
    let said = node.cli(&["check"]);
    assert_eq!(said.code, 2, "{said:?}");
    for fault in [
        "asn.mmdb` of `asn-file` cannot be used: it is no file of MaxMind's format, or not the whole of one",
        "country.mmdb` of `country-file` cannot be used: it tells no countries: it is of type \"Test-ASN\"",
    ] {
        assert!(said.err.contains(fault), "{said:?}");
    }
    node.start_again();
    let status = node.cli(&["status"]).with_code(0).out;
    assert!(status.contains("! the file `") && status.contains("asn.mmdb` of `asn-file` cannot be used"), "{status}");
    assert!(status.contains("; accounts are judged without countries"), "{status}");

    // The right ones are taken as soon as they are there.
    fs::write(&asn, &systems).unwrap();
    fs::write(&country, &countries).unwrap();
    node.cli(&["check"]).with_code(0);
    wait::until_true("no complaint", || !node.quick_status().warnings.iter().any(|text| text.contains(".mmdb")));
    let answer = ask(gate, ABROAD, "robot.example", 100, "stranger@made-up.example");
    assert!(answer.starts_with("action=DUNNO"), "{answer}");
    let account = node.why("alice").account.expect("it is known");
    let sign = account.signs.iter().find(|sign| sign.sign == "a country from which it was never used");
    assert_eq!(sign.expect("the sign").points, "2.0", "{account:?}");
    // What was read holds when the file is gone.
    fs::remove_file(&country).unwrap();
    let warning =
        "country.mmdb` of `country-file` cannot be used: no such file or directory; what it said before holds";
    wait::until_true("a complaint", || node.quick_status().warnings.iter().any(|text| text.contains(warning)));
}
