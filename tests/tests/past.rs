//! What was listed at a past moment, why somebody is listed, and who is protected.

use console::api::{ListingView, Why};
use ratter_tests::dns::entry;
use ratter_tests::lines::{self, Log};
use ratter_tests::place::Place;
use ratter_tests::process::write;
use ratter_tests::ratter::{Config, Node, ORIGIN};
use ratter_tests::wait;

const FIRST: &str = "198.51.100.7";
const SECOND: &str = "198.51.100.8";

fn subjects(listings: &[ListingView]) -> Vec<&str> {
    listings.iter().map(|listing| listing.subject.as_str()).collect()
}

#[test]
fn the_past_is_told_after_a_kill() {
    let mut node = Node::start(&Config::new());
    node.cli(&["list", FIRST, "--on", "auth", "--for", "1h", "--reason", "a test"]).with_code(0);
    let first = node.all_listings().remove(0);
    node.cli(&["unlist", FIRST]).with_code(0);
    node.cli(&["list", SECOND, "--on", "auth", "--for", "1h", "--reason", "another"]).with_code(0);
    let second = node.all_listings().remove(0);
    for _ in 0..2 {
        assert_eq!(node.json::<Vec<ListingView>>(&["list", "--at", &first.since]), std::slice::from_ref(&first));
        assert_eq!(
            subjects(&node.json::<Vec<ListingView>>(&["list", "--at", &second.since, "--on", "auth"])),
            [SECOND]
        );
        assert!(node.json::<Vec<ListingView>>(&["list", "--at", &second.since, "--on", "spam"]).is_empty());
        let then: Why = node.json(&["why", FIRST, "--at", &first.since]);
        assert_eq!((subjects(&then.listings), then.history.len()), (vec![FIRST], 1));
        let now: Why = node.json(&["why", FIRST]);
        assert_eq!((now.listings.len(), now.history.len()), (0, 2));
        let said = node.cli(&["list", "--at", "2999-01-01T00:00:00Z"]).with_code(2);
        assert!(said.err.contains("past moment"), "{said:?}");
        node.kill();
        node.start_again();
    }
}

#[test]
fn why_tells_all_that_a_listing_rests_on_over_a_restart() {
    let place = Place::new("log");
    let mut log = Log::open(&place.join("mail.log"));
    let mut node = Node::start(&Config::new().follow(log.path()));
    for login in ["alice", "bob", "carol", "dave", "erin", "frank"] {
        log.line(&lines::failed(FIRST, login, 2));
    }
    node.wait_listed(FIRST, "blocked");
    node.wait_whole(log.path());
    wait::until_true("the store to hold the guesses", || node.why(FIRST).counts.iter().any(|kind| kind.count == 6));
    let told = node.why(FIRST);
    node.kill();
    node.start_again();
    for why in [told, node.why(FIRST)] {
        let listing = &why.listings[0];
        assert!(listing.maker.starts_with("rule "), "{listing:?}");
        assert_eq!(listing.rule_version.as_deref().map(str::len), Some(8), "{listing:?}");
        assert!(listing.first <= listing.last && !listing.first.is_empty(), "{listing:?}");
        assert!(listing.ends_earlier_by.iter().any(|how| how.contains("unlist")), "{listing:?}");
        assert_eq!((why.counts[0].kind.as_str(), why.counts[0].count), ("login-failed", 6));
        assert!(!why.samples.is_empty());
        for sample in &why.samples {
            assert!(!sample.contains("alice") && !sample.contains("frank"), "{sample}");
        }
    }
    let text = node.cli(&["why", FIRST]).with_code(0).out;
    for part in ["in its wording", "first seen", "would end earlier by", "COUNT", "To be handed out:"] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn an_allow_file_protects_as_soon_as_it_is_written() {
    let place = Place::new("allow");
    let file = place.join("dnswl");
    write(&file, "# nothing yet\n");
    let config = Config::new();
    let mut node = Node::start(&config);
    node.stop();
    let path = file.display().to_string();
    node.configure(&Config::new().node(&format!("allow-files = [{path:?}]")));
    node.start_again();
    node.cli(&["list", "198.51.100.0/24", "--on", "auth", "--for", "1h", "--reason", "a test"]).with_code(0);
    node.cli(&["list", SECOND, "--for", "1h", "--reason", "a test"]).with_code(0);
    write(&file, &format!("{SECOND}/32;5;2;example.com;123\n"));
    wait::until_true("the file to be read", || node.listings("auth").is_empty());
    assert!(node.dig().addresses(&entry(FIRST, "auth", ORIGIN)).is_empty());
    let why = node.why(SECOND);
    assert_eq!(why.protections[0].by, format!("allow file {path}"));
    assert_eq!(subjects(&why.listings), [SECOND], "it may be blocked here");
    node.cli(&["list", SECOND, "--on", "auth", "--for", "1h", "--reason", "a test"]).with_code(1);
    assert!(node.why("127.0.0.1").protections.iter().any(|it| it.by.contains("this machine")));
}
